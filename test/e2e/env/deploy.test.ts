import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  connect,
  EnvState,
  ListEnvsRequest,
  OperationOutcome,
  operationEnd,
  status,
  type BerthClient,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { docker } from '../../support/docker-cli.js';
import { hostState } from '../../support/host-state.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { heldByEnvs } from '../../support/env/held-on-host.js';
import { failure } from '../../support/rpc-failure.js';

const APPS = resolve(import.meta.dirname, '../../../templates/apps');
const PORTS = { first: 18_600, last: 18_620 };

let before: string[];
let daemon: TestDaemon;
let client: BerthClient;

beforeAll(async () => {
  before = await hostState();
  daemon = await startDaemon({
    env: {
      BERTH_ENV_PORT_FIRST: String(PORTS.first),
      BERTH_ENV_PORT_LAST: String(PORTS.last),
      BERTH_ENV_SUBNETS: '10.214.0.0/22',
      BERTH_ENV_STOP_GRACE_MS: '2000',
    },
    waitForPool: false,
  });
  await cp(APPS, join(daemon.stateDir, 'apps'), { recursive: true });
  client = connect({ address: daemon.address });
});

afterEach(async () => {
  const { envs } = await client.env.listEnvs(ListEnvsRequest.fromPartial({}));
  for (const env of envs) if (env.state !== EnvState.FAILED) await operate(client.destroy(env.envId));
  expect(await heldByEnvs(daemon)).toEqual({ docker: [], directories: [] });
});

afterAll(async () => {
  client.close();
  expect(await daemon.stop()).toBe(0);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
});

/** Reads an operation to its end, and checks the form that every operation's stream has. */
async function operate(
  events: AsyncIterable<EnvEvent>,
): Promise<{ events: EnvEvent[]; end: NonNullable<ReturnType<typeof operationEnd>> }> {
  const all: EnvEvent[] = [];
  for await (const event of events) all.push(event);
  const seqs = all.map((event) => event.seq);
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(new Set(seqs).size).toBe(seqs.length);
  expect(new Set(all.map((event) => event.operationId)).size).toBe(1);
  expect(all.filter((event) => operationEnd(event) !== undefined)).toHaveLength(1);
  const end = operationEnd(all.at(-1)!);
  return { events: all, end: end! };
}

async function deployed(events: AsyncIterable<EnvEvent>): Promise<Env> {
  const { end } = await operate(events);
  if (end.$case !== 'succeeded') throw new Error(`the deployment ${end.$case}: ${JSON.stringify(end.value)}`);
  return end.value.env!;
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

const nodeApp = (server: string, metadata: object = {}) => [
  {
    path: 'metadata.json',
    content: Buffer.from(
      JSON.stringify({
        runtimeType: 'node',
        containerPort: 3000,
        startCommand: 'node server.js',
        ...metadata,
      }),
    ),
    mode: 0,
  },
  { path: 'server.js', content: Buffer.from(server), mode: 0 },
];
const HELLO = `require('http').createServer((q, r) => r.end('hello ' + q.url)).listen(process.env.CONTAINER_PORT); process.on('SIGTERM', () => process.exit(0));`;

describe('DeployEnv', () => {
  it.each(['hello-node', 'hello-python'])(
    'deploys %s from its folder; its URL answers when the terminal event says so',
    async (appId) => {
      const env = await deployed(client.deploy({ userId: 'ada', appId }));
      expect(env).toMatchObject({ state: EnvState.RUNNING, userId: 'ada', systemId: 'default', appId });
      expect(env.envId).toMatch(/^env-[0-9a-f]{12}$/);
      expect(env.port).toBeGreaterThanOrEqual(PORTS.first);
      const response = await fetch(env.url);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('deployed by Berth');
    },
  );

  it('deploys from files of the request, and returns the running env for the same content', async () => {
    const request = { userId: 'ada', appId: 'mine', files: nodeApp(HELLO) };
    const env = await deployed(client.deploy(request));
    expect(await (await fetch(`${env.url}/x`)).text()).toBe('hello /x');
    const { end } = await operate(client.deploy(request));
    expect(end).toMatchObject({
      $case: 'succeeded',
      value: { outcome: OperationOutcome.UNCHANGED, env: { envId: env.envId } },
    });
    const replaced = await operate(
      client.deploy({ ...request, files: nodeApp(HELLO.replace('hello', 'other')) }),
    );
    expect(replaced.end).toMatchObject({ $case: 'succeeded', value: { outcome: OperationOutcome.REPLACED } });
    expect(await (await fetch(`${env.url}/x`)).text()).toBe('other /x');
  });

  it('gives two callers at once one env and the same events', async () => {
    const request = { userId: 'ada', appId: 'hello-node' };
    const [a, b] = await Promise.all([operate(client.deploy(request)), operate(client.deploy(request))]);
    expect(a.end.value.env?.envId).toBe(b.end.value.env?.envId);
    expect(a.events.map((e) => e.seq)).toEqual(b.events.map((e) => e.seq));
  });

  it('replays the first operation for a repeated request id', async () => {
    const request = { userId: 'ada', appId: 'hello-node', requestId: 'deploy-1' };
    const first = await operate(client.deploy(request));
    const again = await operate(client.deploy(request));
    expect(again.events.map((e) => e.seq)).toEqual(first.events.map((e) => e.seq));
    expect((await failure(drain(client.deploy({ ...request, appId: 'hello-python' })))).reason).toBe(
      'REQUEST_ID_REUSED',
    );
  });

  it('mounts the app read-only, limits the container, and rotates its log', async () => {
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'hello-node' }));
    const [inspected] = JSON.parse(await docker('inspect', env.containerId)) as [
      { HostConfig: Record<string, unknown>; Mounts: { RW: boolean; Type: string }[] },
    ];
    expect(inspected.Mounts.filter((mount) => mount.Type === 'bind').every((mount) => !mount.RW)).toBe(true);
    expect(inspected.HostConfig).toMatchObject({
      Memory: 512 * 1024 * 1024,
      MemorySwap: 512 * 1024 * 1024,
      NanoCpus: 500_000_000,
      CapDrop: ['ALL'],
      Privileged: false,
      LogConfig: {
        Type: 'json-file',
        Config: expect.objectContaining({ 'max-size': expect.any(String), 'max-file': expect.any(String) }),
      },
    });
  });
});

describe('a deployment that fails', () => {
  it('names the app that exits at once, with its last log lines', async () => {
    const { end, events } = await operate(
      client.deploy({
        userId: 'ada',
        appId: 'broken',
        files: nodeApp('console.error("cannot find my wits"); process.exit(7)'),
      }),
    );
    expect(end).toMatchObject({
      $case: 'failed',
      value: { error: { reason: 'APP_EXITED', step: 'wait_ready', message: expect.stringContaining('7') } },
    });
    expect(
      end.$case === 'failed' && end.value.error!.logLines.map((line) => line.text.toString()).join('\n'),
    ).toContain('cannot find my wits');
    expect(events.filter((e) => e.event?.$case === 'undoCompleted').length).toBeGreaterThan(2);
  });

  it('names the app that never answers', async () => {
    const { end } = await operate(
      client.deploy({
        userId: 'ada',
        appId: 'mute',
        readyTimeoutMs: 1_500,
        // A shell says it long before the time is up, also where Node takes seconds to start.
        files: nodeApp('', {
          startCommand: ['sh', '-c', "trap 'exit 0' TERM; echo I sit here; sleep 1000 & wait"],
        }),
      }),
    );
    expect(end).toMatchObject({
      $case: 'failed',
      value: { error: { reason: 'APP_NOT_READY', step: 'wait_ready' } },
    });
    expect(
      end.$case === 'failed' && end.value.error!.logLines.map((line) => line.text.toString()).join('\n'),
    ).toContain('I sit here');
  });

  it('names the image that is missing, before anything is claimed', async () => {
    const { end } = await operate(
      client.deploy({
        userId: 'ada',
        appId: 'unbuilt',
        files: nodeApp(HELLO, { baseImage: 'nobody/has-this:1' }),
      }),
    );
    expect(end).toMatchObject({
      $case: 'failed',
      value: { error: { reason: 'IMAGE_NOT_FOUND', message: expect.stringContaining('nobody/has-this:1') } },
    });
  });

  it('takes another port when somebody took the first, and says when there is none', async () => {
    const thieves: Server[] = [];
    const steal = async (port: number): Promise<void> => {
      const server = createServer();
      thieves.push(server);
      // A port that something else has is stolen already.
      await new Promise<void>((done) =>
        server
          .once('listening', done)
          .once('error', () => done())
          .listen(port, '127.0.0.1'),
      );
    };
    await steal(PORTS.first);
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'hello-node' }));
    expect(env.port).not.toBe(PORTS.first);
    await operate(client.destroy(env.envId));
    for (let port = PORTS.first + 1; port <= PORTS.last; port++) await steal(port);
    const { end } = await operate(client.deploy({ userId: 'ada', appId: 'hello-node' }));
    expect(end).toMatchObject({
      $case: 'failed',
      value: { error: { reason: 'PORT_NONE_FREE', step: 'claim_port', code: status.RESOURCE_EXHAUSTED } },
    });
    await Promise.all(thieves.map((server) => new Promise((done) => server.close(done))));
  });
});

describe('the life of an env', () => {
  it('stops, starts and is destroyed; each is idempotent', async () => {
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'hello-node' }));
    expect((await operate(client.stop(env.envId))).end).toMatchObject({
      $case: 'succeeded',
      value: { outcome: OperationOutcome.STOPPED, env: { state: EnvState.STOPPED } },
    });
    await expect(fetch(env.url)).rejects.toThrow();
    expect((await operate(client.stop(env.envId))).end).toMatchObject({
      $case: 'succeeded',
      value: { outcome: OperationOutcome.UNCHANGED },
    });
    expect((await operate(client.start(env.envId))).end).toMatchObject({
      $case: 'succeeded',
      value: { env: { state: EnvState.RUNNING, envId: env.envId } },
    });
    expect((await fetch(env.url)).status).toBe(200);
    expect((await operate(client.destroy(env.envId))).end).toMatchObject({
      $case: 'succeeded',
      value: { outcome: OperationOutcome.DESTROYED, env: { state: EnvState.DESTROYED } },
    });
    expect((await operate(client.destroy(env.envId))).end).toMatchObject({
      $case: 'succeeded',
      value: { outcome: OperationOutcome.UNCHANGED },
    });
    expect((await failure(drain(client.start(env.envId)))).reason).toBe('ENV_STATE');
  });

  it('can be watched from any event on, without gap or repeat', async () => {
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'hello-node' }));
    const seen: number[] = [];
    const watching = (async () => {
      for await (const event of client.watchEnv({ envId: env.envId, afterSeq: 3 })) {
        seen.push(event.seq);
        if (
          operationEnd(event)?.$case === 'succeeded' &&
          event.event?.$case === 'succeeded' &&
          event.event.value.outcome === OperationOutcome.STOPPED
        )
          return;
      }
    })();
    await operate(client.stop(env.envId));
    await watching;
    expect(seen).toEqual(seen.map((_, i) => i + 4));
  });

  it('streams its log, and follows it', async () => {
    const app = `let n = 0; ${HELLO} setInterval(() => console.log('line ' + n++), 20); console.error('to stderr');`;
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'chatty', files: nodeApp(app) }));
    const lines: string[] = [];
    for await (const { entry } of client.envLogs({ envId: env.envId, follow: true })) {
      if (entry?.$case === 'line') lines.push(entry.value.text.toString());
      if (lines.length === 40) break;
    }
    expect(lines).toContain('to stderr');
    expect(lines.filter((line) => line.startsWith('line '))).toEqual(
      Array.from({ length: 39 }, (_, i) => `line ${i}`),
    );
    const tail: string[] = [];
    for await (const { entry } of client.envLogs({ envId: env.envId, tail: 3 }))
      if (entry?.$case === 'line') tail.push(entry.value.text.toString());
    expect(tail).toHaveLength(3);
  });

  it('fifty followers that do not read and a burst of executions side by side: the executions all end', async () => {
    const flood = `${HELLO} const line = 'x'.repeat(200) + '\\n'; setInterval(() => { for (let i = 0; i < 200; i++) process.stdout.write(line); }, 50);`;
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'flood', files: nodeApp(flood) }));
    const followers = Array.from({ length: 50 }, () => client.envLogs({ envId: env.envId, follow: true }));
    // Each has begun and then reads no more.
    await Promise.all(followers.map((follower) => follower.next()));
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        client.run({ language: 'python', source: { $case: 'code', value: `print(${i})` } }),
      ),
    );
    expect(results.map((result) => result.stdout.toString())).toEqual(
      Array.from({ length: 40 }, (_, i) => `${i}\n`),
    );
    const { env: shown } = await client.env.getEnv({ envId: env.envId });
    expect(shown?.state).toBe(EnvState.RUNNING);
    await Promise.all(followers.map((follower) => follower.return()));
  });
});

describe('after kill -9 in the middle of a deployment', () => {
  it.each(['create_networks', 'create_containers', 'wait_ready'])(
    'at %s: the next boot undoes or finishes it, and the event log tells the story',
    async (step) => {
      const slow = nodeApp(`setTimeout(() => { ${HELLO} }, 1500)`);
      let envId = '';
      let lastSeq = 0;
      await expect(
        (async () => {
          for await (const { event } of client.env.deployEnv({
            userId: 'ada',
            appId: 'cut-off',
            systemId: '',
            requestId: '',
            files: slow,
            env: {},
            labels: {},
            allowedSources: [],
          } as never)) {
            envId = event!.envId;
            lastSeq = event!.seq;
            if (event!.event?.$case === 'stepStarted' && event!.event.value.step === step)
              await daemon.kill();
          }
        })(),
      ).rejects.toMatchObject({ code: status.UNAVAILABLE });
      client.close();
      daemon = await daemon.restart();
      client = connect({ address: daemon.address });
      await daemon.logged((line) => line.event === 'envs_reconciled');

      const story: EnvEvent[] = [];
      for await (const event of client.watchEnv({ envId })) {
        story.push(event);
        if (operationEnd(event) !== undefined) break;
      }
      expect(story.map((event) => event.seq)).toEqual(story.map((_, i) => i + 1));
      expect(story.length).toBeGreaterThan(lastSeq);
      const { env } = await client.env.getEnv({ envId });
      if (env!.state === EnvState.RUNNING) expect((await fetch(env!.url)).status).toBe(200);
      else {
        expect(env!.state).toBe(EnvState.FAILED);
        expect(await heldByEnvs(daemon)).toEqual({ docker: [], directories: [] });
      }
    },
  );
});

describe('bad input to EnvService', () => {
  const files = nodeApp(HELLO);
  it.each<[string, object, string]>([
    ['a user id with ../', { userId: '../ada', appId: 'a', files }, 'user_id'],
    ['a user id with NUL', { userId: 'a\0b', appId: 'a', files }, 'user_id'],
    [
      'a system id of 300 characters',
      { userId: 'ada', systemId: 'x'.repeat(300), appId: 'a', files },
      'system_id',
    ],
    ['an app id of look-alikes', { userId: 'ada', appId: 'аpp', files }, 'app_id'],
    ['an empty user id', { userId: '', appId: 'a', files }, 'user_id'],
    [
      'a file with an absolute path',
      { userId: 'ada', appId: 'a', files: [...files, { path: '/etc/x', content: Buffer.alloc(0), mode: 0 }] },
      'files[2].path',
    ],
    [
      'a file that climbs out',
      {
        userId: 'ada',
        appId: 'a',
        files: [...files, { path: 'x/../../y', content: Buffer.alloc(0), mode: 0 }],
      },
      'files[2].path',
    ],
    ['files without metadata.json', { userId: 'ada', appId: 'a', files: files.slice(1) }, 'metadata.json'],
    [
      'metadata.json that is not JSON',
      {
        userId: 'ada',
        appId: 'a',
        files: [{ path: 'metadata.json', content: Buffer.from('{nope'), mode: 0 }],
      },
      'metadata.json',
    ],
    [
      'a bad key in metadata.json',
      { userId: 'ada', appId: 'a', files: nodeApp(HELLO, { portt: 1 }) },
      'metadata.json/portt',
    ],
    [
      'a port out of range',
      { userId: 'ada', appId: 'a', files: nodeApp(HELLO, { containerPort: 70_000 }) },
      'metadata.json/containerPort',
    ],
    [
      'a volume path with a newline',
      {
        userId: 'ada',
        appId: 'a',
        files: nodeApp(HELLO, { volumes: [{ containerPath: '/data\nprivileged: true' }] }),
      },
      'metadata.json/volumes/0/containerPath',
    ],
  ])('%s', async (_name, request, field) => {
    const error = await failure(drain(client.deploy(request)));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.violations.map((violation) => violation.field)).toContain(field);
  });

  it('an unknown app, an unknown runtime, an unknown env, a malformed env id, a database', async () => {
    expect((await failure(drain(client.deploy({ userId: 'ada', appId: 'no-such-app' })))).reason).toBe(
      'APP_NOT_FOUND',
    );
    expect(
      (
        await failure(
          drain(
            client.deploy({ userId: 'ada', appId: 'a', files: nodeApp(HELLO, { runtimeType: 'cobol' }) }),
          ),
        )
      ).reason,
    ).toBe('RUNTIME_UNKNOWN');
    expect((await failure(client.env.getEnv({ envId: 'env-000000000000' }))).reason).toBe('ENV_NOT_FOUND');
    expect((await failure(client.env.getEnv({ envId: '../etc/passwd' }))).violations[0]?.field).toBe(
      'env_id',
    );
    expect(
      (
        await failure(
          drain(
            client.deploy({
              userId: 'ada',
              appId: 'a',
              files: nodeApp(HELLO, { database: { provider: 'nosuch' } }),
            }),
          ),
        )
      ).reason,
    ).toBe('APP_INVALID');
    expect(
      (await failure(client.env.listEnvs(ListEnvsRequest.fromPartial({ pageToken: 'nonsense' })))).reason,
    ).toBe('PAGE_TOKEN_INVALID');
    const unknownState = client.env.listEnvs(ListEnvsRequest.fromPartial({ states: [99 as EnvState] }));
    expect((await failure(unknownState)).violations).toEqual([
      { field: 'states', rule: 'must be states of an env' },
    ]);
  });

  it('a start command with ${} and quotes runs as it is written', async () => {
    const app = nodeApp(
      `require('http').createServer((q, r) => r.end(JSON.stringify(process.argv.slice(2)))).listen(3000); process.on('SIGTERM', () => process.exit(0));`,
      {
        startCommand: ['node', 'server.js', '${HOME}', '$$', 'a"b\nprivileged: true', "'", '{{x}}'],
      },
    );
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'quoted', files: app }));
    expect(await (await fetch(env.url)).json()).toEqual([
      '${HOME}',
      '$$',
      'a"b\nprivileged: true',
      "'",
      '{{x}}',
    ]);
  });

  it('a start command with what a shell understands runs as it is written, in the container only', async () => {
    const server = `require('http').createServer((q, r) => r.end(require('fs').readFileSync('/tmp/said'))).listen(3000); process.on('SIGTERM', () => process.exit(0));`;
    const startCommand = `echo "$(id -u) \`hostname\` \\$HOME; $((6 * 7))" > /tmp/said && touch /tmp/of-the-host | cat; exec node server.js`;
    const files = nodeApp(server, { startCommand });
    const env = await deployed(client.deploy({ userId: 'ada', appId: 'shell', files }));
    const hostname = env.containerId.slice(0, 12);
    expect(await (await fetch(env.url)).text()).toBe(`0 ${hostname} $HOME; 42\n`);
    expect(existsSync('/tmp/of-the-host')).toBe(false);
  });

  it('an app folder whose metadata is missing', async () => {
    const folder = join(daemon.stateDir, 'apps', 'without-metadata');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'server.js'), '');
    const error = await failure(drain(client.deploy({ userId: 'ada', appId: 'without-metadata' })));
    expect(error.reason).toBe('APP_INVALID');
  });
});
