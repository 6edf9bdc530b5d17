import { afterEach, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import {
  type BerthRpcError,
  connect,
  EndReason,
  Isolation,
  PoolMissReason,
  ServedBy,
  status,
} from '../../../clients/typescript/src/index.js';
import { containersOf, docker, ownedBy } from '../../support/docker-cli.js';
import { DockerProxy } from '../../support/docker-proxy.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Parameters<typeof startDaemon>[0] = {}): Promise<TestDaemon> {
  const daemon = await startDaemon(options);
  cleanups.push(() => daemon.dispose());
  return daemon;
}

const python = (code: string) => ({ language: 'python', source: { $case: 'code' as const, value: code } });

interface Health {
  ok: boolean;
  components: Record<string, { ok: boolean; reason: string }>;
}

async function health(daemon: TestDaemon): Promise<{ code: number; body: Health }> {
  const response = await fetch(`${daemon.httpAddress}/healthz`);
  return { code: response.status, body: (await response.json()) as Health };
}

describe('stopping', () => {
  it('lets what runs finish, refuses what is new, removes its pool and exits 0', async () => {
    const daemon = await start();
    using client = connect({ address: daemon.address });
    const events = client.execute(
      python(
        'print("up", flush=True)\nimport os, time\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)\nprint("done")',
      ),
    );
    let sandbox = '';
    const seen: string[] = [];
    let stopped: Promise<number | null> | undefined;
    for await (const { event } of events) {
      if (event?.$case === 'started') sandbox = `berth-${event.value.sandboxId}`;
      if (event?.$case === 'output') {
        seen.push(event.value.data.toString());
        if (stopped === undefined) {
          stopped = daemon.stop();
          await daemon.logged((line) => line.event === 'berthd_stopping');
          const refused = await client.run(python('print(1)')).catch((error: unknown) => error);
          expect((refused as BerthRpcError).reason).toBe('SHUTTING_DOWN');
          await docker('exec', sandbox, 'touch', '/tmp/go');
        }
      }
      if (event?.$case === 'ended') expect(event.value.reason).toBe(EndReason.EXITED);
    }
    expect(seen.join('')).toBe('up\ndone\n');
    expect(await stopped).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });

  it('cancels what does not finish within the limit', async () => {
    const daemon = await start({ env: { BERTH_SHUTDOWN_GRACE_MS: '200' } });
    using client = connect({ address: daemon.address });
    let stopped: Promise<number | null> | undefined;
    for await (const { event } of client.execute({
      ...python('print("up", flush=True)\nimport time\ntime.sleep(600)'),
      limits: { wallMs: 600_000 },
    })) {
      if (event?.$case === 'output') stopped = daemon.stop();
      if (event?.$case === 'ended') expect(event.value.reason).toBe(EndReason.CANCELLED);
    }
    expect(await stopped).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });

  it('ends at once at a second signal, and the next start removes what was left', async () => {
    const daemon = await start();
    using client = connect({ address: daemon.address });
    const running = client.run({ ...python('import time\ntime.sleep(600)'), limits: { wallMs: 600_000 } });
    running.catch(() => undefined);
    await daemon.logged((line) => line.event === 'sandbox_acquired');
    void daemon.stop();
    await daemon.logged((line) => line.event === 'berthd_stopping');
    expect(await daemon.stop()).toBe(137);
    expect((await containersOf(daemon.owner)).length).toBeGreaterThan(0);
    await running.catch(() => undefined);

    const next = await daemon.restart();
    const removed = await next.logged((line) => line.event === 'stray_sandboxes_removed');
    expect((removed['sandboxes'] as string[]).length).toBeGreaterThan(0);
    expect(await next.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });
});

describe('Docker', () => {
  it('may be missing at boot: berthd says what to do, and serves when it comes', async () => {
    const proxy = await DockerProxy.create();
    cleanups.push(() => proxy.dispose());
    const daemon = await start({
      env: { BERTH_DOCKER_HOST: proxy.host, BERTH_LOCAL_MODE: 'off' },
      waitForPool: false,
    });
    using client = connect({ address: daemon.address });

    const error = (await client.run(python('print(1)')).catch((e: unknown) => e)) as BerthRpcError;
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(error.reason).toBe('DOCKER_UNAVAILABLE');
    expect(error.message).toMatch(/start/i);
    const down = await health(daemon);
    expect(down.code).toBe(503);
    expect(down.body.components['docker']).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/start/i),
    });
    expect(down.body.components['store']).toEqual({ ok: true, reason: '' });

    await proxy.up();
    await daemon.logged((line) => line.event === 'sandbox_created');
    expect((await client.run(python('print("back")'))).stdout.toString()).toBe('back\n');
    expect((await health(daemon)).code).toBe(200);
    expect(await daemon.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });

  it('may die later: what runs is lost, typed, calls say what to do, and it recovers by itself', async () => {
    const proxy = await DockerProxy.create();
    cleanups.push(() => proxy.dispose());
    await proxy.up();
    const daemon = await start({ env: { BERTH_DOCKER_HOST: proxy.host } });
    using client = connect({ address: daemon.address });
    for await (const { event } of client.execute(
      python('print("up", flush=True)\nimport time\ntime.sleep(600)'),
    )) {
      if (event?.$case === 'output') await proxy.down();
      if (event?.$case === 'ended') expect(event.value.reason).toBe(EndReason.SANDBOX_LOST);
    }
    const forbidden = { ...python('print(1)'), degrade: { forbidLocal: true, forbidOneShot: false } };
    const error = (await client.run(forbidden).catch((e: unknown) => e)) as BerthRpcError;
    expect(error).toMatchObject({ reason: 'DOCKER_UNAVAILABLE', code: status.UNAVAILABLE });
    expect((await health(daemon)).code).toBe(503);
    const settled = await daemon.logged(
      (line) => line.event === 'local_engine_ready' || line.event === 'local_engine_refused',
    );
    if (settled.event === 'local_engine_ready') {
      const served = await client.run(python('import os\nprint("local", os.getuid() > 0)'));
      expect(served.stdout.toString()).toBe('local True\n');
      expect(served.started).toMatchObject({
        servedBy: ServedBy.LOCAL,
        servedReason: expect.stringContaining('Docker'),
        engine: 'local',
        missReason: PoolMissReason.ENGINE_UNAVAILABLE,
      });
      const gvisor = { ...python('print(1)'), isolation: Isolation.GVISOR };
      const refused = (await client.run(gvisor).catch((e: unknown) => e)) as BerthRpcError;
      expect(refused).toMatchObject({ reason: 'DOCKER_UNAVAILABLE', code: status.UNAVAILABLE });
    } else {
      const refused = (await client.run(python('print(1)')).catch((e: unknown) => e)) as BerthRpcError;
      expect(refused).toMatchObject({ reason: 'DOCKER_UNAVAILABLE', code: status.UNAVAILABLE });
    }

    const created = daemon.log.filter((line) => line.event === 'sandbox_created').length;
    await proxy.up();
    await daemon.logged(
      (line) =>
        line.event === 'sandbox_created' &&
        daemon.log.indexOf(line) > 0 &&
        daemon.log.filter((l) => l.event === 'sandbox_created').length > created,
    );
    const back = await client.run(python('print("back")'));
    expect(back.stdout.toString()).toBe('back\n');
    expect(back.started).toMatchObject({ servedBy: ServedBy.POOL, engine: 'docker' });
    expect((await health(daemon)).code).toBe(200);
    expect(await daemon.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });
});

describe('configuration', () => {
  /** Of a berthd that does not start. */
  const refused = async (env: Record<string, string>, ...args: string[]) => {
    const main = resolve(import.meta.dirname, '../../../dist/src/main.js');
    const child = spawn(process.execPath, [main, ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, errors };
  };

  it('names every unknown and bad key, and does not start', async () => {
    const { code, errors } = await refused({ BERTH_POOL_MAXX: '1', BERTH_GRPC_ADDRESS: 'nowhere' });
    expect(code).toBe(78);
    expect(errors).toContain('BERTH_POOL_MAXX: no such key (meant BERTH_POOL_');
    expect(errors).toContain('BERTH_GRPC_ADDRESS: must be host:port');
  });

  it('is not given by arguments: what is meant for berth does not start a daemon', async () => {
    const { code, errors } = await refused({}, 'images', 'prepare');
    expect(code).toBe(64);
    expect(errors).toContain('no argument "images"');
    expect(errors).toContain('see berth --help');
  });

  onlyInFull(it, 'a database that does not answer: sandboxes work, envs say what is wrong', async () => {
    const daemon = await start({ env: { BERTH_DATABASE_URL: 'mysql://berth:secret@127.0.0.1:1/berth' } });
    using client = connect({ address: daemon.address });
    expect((await client.run(python('print(1)'))).exitCode).toBe(0);
    const error = (await client.env
      .listEnvs({ pageSize: 0, pageToken: '' } as never)
      .catch((e: unknown) => e)) as BerthRpcError;
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(error.reason).toBe('STORE_UNAVAILABLE');
    expect(JSON.stringify(daemon.log) + error.message).not.toContain('secret');
    expect((await health(daemon)).body.components['store']?.ok).toBe(false);
    expect(await daemon.stop()).toBe(0);
    expect(await ownedBy(daemon.owner)).toEqual([]);
  });
});
