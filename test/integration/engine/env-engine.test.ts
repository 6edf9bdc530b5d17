import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDockerEngine, type DockerEngine } from '#dist/src/engine/docker/create-docker-engine.js';
import type { ComposeProject, ComposeService } from '../../../src/domain/env/compose/model.js';
import type { LogChunk, ProjectEvent } from '../../../src/domain/env/engine.js';
import { newEnvId } from '../../../src/domain/ids.js';
import { deferred } from '../../../src/lib/deferred.js';
import { compose, hasCompose } from '../../support/compose.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { type Bench, docker, DOCKER_HOST, makeBench } from './support.js';

let bench: Bench;
let engine: DockerEngine;
let project: ComposeProject;
beforeAll(async () => {
  bench = await makeBench();
  engine = await createDockerEngine({
    dockerHost: DOCKER_HOST,
    owner: bench.owner,
    seccompProfilePath: bench.seccompProfilePath,
    hostsFile: bench.hostsFile,
    callThreads: 1,
    streamThreads: 1,
    maxStreams: 16,
    logger: new SilentLogger(),
  });
});
afterAll(async () => {
  await engine.close();
  await bench.close();
});
beforeEach(() => {
  project = makeProject();
});
afterEach(async () => {
  await engine.envs.remove(project.name, { volumes: true });
  await bench.expectNothingLeft();
});

function service(name: string, mode: string[], more: Partial<ComposeService> = {}): ComposeService {
  return {
    name,
    image: bench.image,
    containerName: `${project?.name ?? ''}-${name}`,
    command: mode,
    entrypoint: ['/berth/runner'],
    workingDir: undefined,
    user: undefined,
    environment: {},
    ports: [],
    mounts: [],
    networks: [{ key: 'default', aliases: [] }],
    dependsOn: [],
    healthcheck: undefined,
    tty: false,
    stdinOpen: false,
    readOnly: true,
    capDrop: ['ALL'],
    capAdd: [],
    securityOpt: ['no-new-privileges:true'],
    pidsLimit: 64,
    memoryBytes: 64 * 1024 * 1024,
    cpus: 0.5,
    restart: 'no',
    stopGraceMs: 2_000,
    logging: undefined,
    labels: {},
    tmpfs: ['/tmp:size=1m'],
    init: false,
    configHash: 'f'.repeat(64),
    ...more,
  };
}

function makeProject(): ComposeProject {
  const name = newEnvId();
  return {
    name,
    workingDir: bench.directory,
    configFile: path.join(bench.directory, 'docker-compose.yml'),
    services: [],
    networks: [
      {
        key: 'default',
        name: `${name}_default`,
        external: false,
        internal: false,
        subnet: undefined,
        labels: {},
      },
    ],
    volumes: [],
  };
}

/** All of the project's services, created and started in order. */
async function up(): Promise<void> {
  await engine.envs.createNetworksAndVolumes(project);
  await engine.envs.createContainers(project);
  for (const { name } of project.services) await engine.envs.startService(project.name, name);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** Resolves with the first event of the kind; watch before what causes it. */
async function expectEvent(wanted: (event: ProjectEvent) => boolean): Promise<Promise<ProjectEvent>[]> {
  const seen = deferred<ProjectEvent>();
  const watch = await engine.envs.watch(
    project.name,
    (event) => {
      if (!wanted(event)) return;
      watch.close();
      seen.resolve(event);
    },
    (error) => seen.reject(error),
  );
  return [seen.promise];
}

/** A web app that SIGTERM does not end, and what it depends on. */
function webOnDatabase(): ComposeService[] {
  return [
    service('db', ['sleep']),
    service('web', ['ignores-term'], {
      stopGraceMs: 1_000,
      dependsOn: [{ service: 'db', condition: 'service_started' }],
    }),
  ];
}

/** From now on, each service that dies and its exit code. */
async function watchedDeaths(): Promise<{ died: string[]; watch: { close(): void } }> {
  const died: string[] = [];
  const watch = await engine.envs.watch(
    project.name,
    (event) => void (event.action === 'die' && died.push(`${event.service} ${event.exitCode}`)),
    () => undefined,
  );
  return { died, watch };
}

describe('a project', () => {
  it('is applied as asked, twice without a change, and removed without a trace', async () => {
    const port = await freePort();
    project.volumes = [{ key: 'data', name: `${project.name}_data`, external: false, labels: {} }];
    project.services = [
      service('db', ['serve', ':9000']),
      service('web', ['serve', ':8080'], {
        ports: [{ hostIp: '127.0.0.1', hostPort: port, containerPort: 8080, protocol: 'tcp' }],
        mounts: [
          { type: 'bind', source: bench.directory, target: '/app', readOnly: true },
          { type: 'volume', source: 'data', target: '/data', readOnly: false },
        ],
        environment: { GREETING: 'a=b $c' },
        dependsOn: [{ service: 'db', condition: 'service_healthy' }],
        healthcheck: {
          test: ['CMD', '/berth/runner', 'get', 'db:9000'],
          intervalMs: 200,
          timeoutMs: 1_000,
          startPeriodMs: 0,
          retries: 3,
        },
      }),
    ];
    expect(await engine.envs.createNetworksAndVolumes(project)).toEqual([
      { kind: 'network', name: `${project.name}_default` },
      { kind: 'volume', name: `${project.name}_data` },
    ]);
    const created = await engine.envs.createContainers(project);
    expect(created.map((c) => [c.service, c.state, c.health])).toEqual([
      ['db', 'created', 'none'],
      ['web', 'created', expect.stringMatching(/none|starting/)],
    ]);
    const [healthy] = await expectEvent((e) => e.action === 'health_status' && e.health === 'healthy');
    await engine.envs.startService(project.name, 'db');
    await engine.envs.startService(project.name, 'web');
    // The health check asks `db` by name, so the network and its aliases work too.
    expect(await healthy).toMatchObject({ service: 'web', containerId: created[1]?.id });
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');

    const again = await engine.envs.createContainers(project);
    expect(again.map((c) => [c.id, c.state])).toEqual(created.map((c) => [c.id, 'running']));
    await engine.envs.createNetworksAndVolumes(project);
    await engine.envs.startService(project.name, 'web');

    const [info] = JSON.parse(await docker('inspect', created[1]?.id ?? ''));
    expect(info.HostConfig).toMatchObject({
      Memory: 64 * 1024 * 1024,
      MemorySwap: 64 * 1024 * 1024,
      NanoCpus: 500_000_000,
      PidsLimit: 64,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      Tmpfs: { '/tmp': 'size=1m' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    });
    expect(info.Config).toMatchObject({ StopTimeout: 2, Env: expect.arrayContaining(['GREETING=a=b $c']) });
    expect(info.Config.Healthcheck.Interval).toBe(200_000_000);
    expect(info.Mounts).toContainEqual(expect.objectContaining({ Destination: '/app', RW: false }));
    expect(info.Mounts).toContainEqual(
      expect.objectContaining({ Destination: '/data', Name: `${project.name}_data`, RW: true }),
    );

    const owned = await engine.envs.listOwned();
    expect(owned.map((thing) => [thing.kind, thing.envId])).toEqual([
      ['container', project.name],
      ['container', project.name],
      ['network', project.name],
      ['volume', project.name],
    ]);
    const removed = await engine.envs.remove(project.name, { volumes: true });
    expect(removed.map((thing) => thing.kind).toSorted()).toEqual([
      'container',
      'container',
      'network',
      'volume',
    ]);
    expect(await engine.envs.remove(project.name, { volumes: true })).toEqual([]);
    expect(await engine.envs.inspect(project.name)).toEqual([]);
  });

  it('replaces a container whose service changed, and keeps the other', async () => {
    project.services = [service('one', ['sleep']), service('two', ['sleep'])];
    await engine.envs.createNetworksAndVolumes(project);
    const before = await engine.envs.createContainers(project);
    project.services[1] = { ...service('two', ['sleep']), configHash: 'e'.repeat(64) };
    const after = await engine.envs.createContainers(project);
    expect(after[0]?.id).toBe(before[0]?.id);
    expect(after[1]?.id).not.toBe(before[1]?.id);
  });

  it('is stopped with grace, dependants first; what ignores it is killed', async () => {
    project.services = webOnDatabase();
    await up();
    const { died, watch } = await watchedDeaths();
    const [lastDeath] = await expectEvent((e) => e.action === 'die' && e.service === 'db');
    await engine.envs.stop(project.name);
    await lastDeath;
    watch.close();
    expect(died).toEqual(['web 137', 'db 0']);
    expect((await engine.envs.inspect(project.name)).map((c) => c.state)).toEqual(['exited', 'exited']);
    await engine.envs.stop(project.name);
    await engine.envs.startService(project.name, 'db');
    expect((await engine.envs.inspect(project.name)).map((c) => c.state).toSorted()).toEqual([
      'exited',
      'running',
    ]);
  });

  it('is taken down with grace, dependants first, with all its networks and volumes', async () => {
    project.services = webOnDatabase();
    project.volumes = [{ key: 'data', name: `${project.name}_data`, external: false, labels: {} }];
    await up();
    const { died, watch } = await watchedDeaths();
    const begunAt = performance.now();
    const { removed, notStopped } = await engine.envs.down(project.name, { volumes: true });
    watch.close();
    expect(performance.now() - begunAt).toBeGreaterThan(1_000);
    expect(died).toEqual(['web 137', 'db 0']);
    expect(notStopped).toEqual([]);
    expect(removed.map((thing) => thing.kind).toSorted()).toEqual([
      'container',
      'container',
      'network',
      'volume',
    ]);
    await bench.expectNothingLeft();
    expect(await engine.envs.down(project.name, { volumes: true })).toEqual({ removed: [], notStopped: [] });
  });

  it.skipIf(!hasCompose)('is one that the docker compose command knows', async () => {
    const mounts = [{ type: 'volume' as const, source: 'data', target: '/data', readOnly: false }];
    project.services = [service('web', ['serve', ':8080'], { mounts }), service('db', ['sleep'], { mounts })];
    project.volumes = [{ key: 'data', name: `${project.name}_data`, external: false, labels: {} }];
    await writeFile(
      project.configFile,
      JSON.stringify({
        name: project.name,
        services: Object.fromEntries(
          project.services.map((s) => [
            s.name,
            { image: s.image, command: s.command, volumes: ['data:/data'] },
          ]),
        ),
        volumes: { data: {} },
      }),
    );
    await up();
    const inProject = (...args: string[]) => compose('-f', project.configFile, ...args);
    const listed = JSON.parse(await compose('ls', '--format', 'json'));
    expect(listed).toContainEqual({
      Name: project.name,
      Status: 'running(2)',
      ConfigFiles: project.configFile,
    });
    expect((await inProject('ps', '--services')).split('\n').toSorted()).toEqual(['db', 'web']);
    const [listening] = await expectEvent((e) => e.action === 'start' && e.service === 'web');
    await inProject('stop', 'web');
    expect(
      (await engine.envs.inspect(project.name)).map((c) => `${c.service} ${c.state}`).toSorted(),
    ).toEqual(['db running', 'web exited']);
    await inProject('start', 'web');
    await listening;
    expect(await inProject('logs', 'web')).toContain('listening');
    await inProject('down', '-v');
    expect(await engine.envs.listOwned()).toEqual([]);
  });
});

describe('what Docker refuses is named', () => {
  it('a host port that another process holds', async () => {
    const thief = createServer().listen(0, '127.0.0.1');
    await once(thief, 'listening');
    const address = thief.address();
    const hostPort = typeof address === 'object' && address ? address.port : 0;
    project.services = [
      service('web', ['serve', ':8080'], {
        ports: [{ hostIp: '127.0.0.1', hostPort, containerPort: 8080, protocol: 'tcp' }],
      }),
    ];
    try {
      await expect(up()).rejects.toMatchObject({
        reason: 'PORT_TAKEN',
        metadata: { port: String(hostPort) },
      });
    } finally {
      thief.close();
    }
  });

  it('a host port that another container holds', async () => {
    const port = {
      hostIp: '127.0.0.1',
      hostPort: await freePort(),
      containerPort: 8080,
      protocol: 'tcp' as const,
    };
    project.services = [
      service('one', ['serve', ':8080'], { ports: [port] }),
      service('two', ['serve', ':8080'], { ports: [port] }),
    ];
    await expect(up()).rejects.toMatchObject({
      reason: 'PORT_TAKEN',
      metadata: { port: String(port.hostPort) },
    });
  });

  it('a subnet that overlaps', async () => {
    const [network] = project.networks;
    if (network) network.subnet = '10.213.255.240/28';
    await engine.envs.createNetworksAndVolumes(project);
    project.networks.push({
      ...(network as NonNullable<typeof network>),
      key: 'second',
      name: `${project.name}_second`,
    });
    await expect(engine.envs.createNetworksAndVolumes(project)).rejects.toMatchObject({
      reason: 'SUBNET_NONE_FREE',
    });
  });

  it('an image that is not there', async () => {
    await expect(engine.envs.requireImage('no.such/image:1')).rejects.toMatchObject({
      reason: 'IMAGE_NOT_FOUND',
      message: expect.stringContaining('berth images prepare'),
    });
    expect(await engine.envs.requireImage(bench.image)).toEqual({
      digest: bench.imageDigest,
      exposedPorts: [443, 8080],
    });
    project.services = [service('web', ['sleep'], { image: 'no.such/image:1' })];
    await expect(up()).rejects.toMatchObject({ reason: 'IMAGE_NOT_FOUND' });
  });

  it('a program that cannot be started, and a container that is not there', async () => {
    project.services = [service('web', [], { entrypoint: ['/no/such/program'] })];
    await expect(up()).rejects.toMatchObject({
      reason: 'CONTAINER_START_FAILED',
      message: expect.stringContaining('/no/such/program'),
    });
    await expect(engine.envs.startService(project.name, 'db')).rejects.toMatchObject({
      reason: 'ENV_CONTAINER_MISSING',
    });
  });

  it('a network of that name that is somebody else’s, which stays', async () => {
    const name = `${project.name}_default`;
    await docker('network', 'create', name);
    try {
      await expect(up()).rejects.toMatchObject({
        reason: 'CONTAINER_START_FAILED',
        message: expect.stringContaining(name),
      });
      await engine.envs.remove(project.name, { volumes: true });
      expect(await docker('network', 'ls', '-q', '--filter', `name=${name}`)).not.toBe('');
    } finally {
      await docker('network', 'rm', name);
    }
  });

  it('a cancelled call', async () => {
    project.services = [service('web', ['sleep'])];
    const abort = new AbortController();
    const creation = engine.envs.createNetworksAndVolumes(project, abort.signal);
    abort.abort();
    await expect(creation).rejects.toMatchObject({ reason: 'CANCELLED' });
  });
});

it('a container that is connected from outside does not keep a network from being removed', async () => {
  await engine.envs.createNetworksAndVolumes(project);
  const shared = await docker(
    'run',
    '-d',
    '--network',
    `${project.name}_default`,
    bench.image,
    '/berth/runner',
    'sleep',
  );
  try {
    expect(await engine.envs.remove(project.name, { volumes: false })).toEqual([
      { kind: 'network', name: `${project.name}_default` },
    ]);
    expect(await docker('inspect', '--format', '{{.State.Running}}', shared)).toBe('true');
  } finally {
    await docker('rm', '-f', shared);
  }
});

async function collect(chunks: AsyncIterable<LogChunk>): Promise<LogChunk[]> {
  const all: LogChunk[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

describe('the log of a container', () => {
  async function logsOf(tty: boolean, options: { tail?: number; since?: number } = {}): Promise<LogChunk[]> {
    if (project.services.length === 0) {
      project.services = [service('web', ['both'], { tty })];
      const [died] = await expectEvent((e) => e.action === 'die');
      await up();
      await died;
    }
    const [container] = await engine.envs.inspect(project.name);
    return collect(engine.envs.logs(container?.id ?? '', { follow: false, ...options }));
  }
  const text = (chunks: LogChunk[]) => chunks.map((c) => `${c.stream}: ${Buffer.from(c.data).toString()}`);

  it('comes in lines with their stream and time', async () => {
    const chunks = await logsOf(false);
    expect(text(chunks).toSorted()).toEqual([
      'stderr: err 1\n',
      'stdout: out 1\n',
      'stdout: out 2 without end',
    ]);
    for (const { timestamp } of chunks) expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z$/);
    expect(await logsOf(false, { tail: 1 })).toHaveLength(1);
    expect(await logsOf(false, { since: Date.now() + 60_000 })).toEqual([]);
    const first = Math.min(...chunks.map((c) => Date.parse(c.timestamp)));
    expect(await logsOf(false, { since: first })).toHaveLength(3);
  });

  it('comes in lines of a terminal, too', async () => {
    const chunks = await logsOf(true);
    expect(text(chunks)).toEqual(['stdout: out 1\r\n', 'stdout: err 1\r\n', 'stdout: out 2 without end']);
    for (const { timestamp } of chunks) expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z$/);
  });

  it('is followed until the reader leaves, or the container ends', async () => {
    project.services = [service('web', ['ticks'])];
    await up();
    const [container] = await engine.envs.inspect(project.name);
    const seen: string[] = [];
    for await (const chunk of engine.envs.logs(container?.id ?? '', { follow: true })) {
      seen.push(Buffer.from(chunk.data).toString());
      if (seen.length === 10) break;
    }
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => `tick ${i}\n`));
    let followed = 0;
    const end = (async () => {
      for await (const chunk of engine.envs.logs(container?.id ?? '', { follow: true, tail: 0 })) {
        followed += chunk.data.length;
        if (followed === chunk.data.length) void engine.envs.stop(project.name);
      }
    })();
    await end;
    expect(followed).toBeGreaterThan(0);
  });

  it('ends as cancelled when the caller cancels, and names a container that is gone', async () => {
    project.services = [service('web', ['sleep'])];
    await up();
    const [container] = await engine.envs.inspect(project.name);
    const abort = new AbortController();
    const reading = collect(engine.envs.logs(container?.id ?? '', { follow: true }, abort.signal));
    abort.abort();
    await expect(reading).rejects.toMatchObject({ reason: 'CANCELLED' });
    await expect(collect(engine.envs.logs('0'.repeat(64), { follow: true }))).rejects.toMatchObject({
      reason: 'ENV_CONTAINER_MISSING',
    });
  });
});
