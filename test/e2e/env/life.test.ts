import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import {
  ActivityKind,
  connect,
  EnvHealth,
  EnvState,
  EnvWarningKind,
  ListEnvsRequest,
  operationEnd,
  ResourceKind,
  RestartPolicy,
  status,
  type BerthClient,
  type Env,
  type EnvEvent,
} from '../../../clients/typescript/src/index.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { docker } from '../../support/docker-cli.js';
import { hostState } from '../../support/host-state.js';

let before: string[];
let daemon: TestDaemon;
let client: BerthClient;

beforeAll(async () => {
  before = await hostState();
  daemon = await startDaemon({
    env: {
      BERTH_ENV_PORT_FIRST: '18630',
      BERTH_ENV_PORT_LAST: '18633',
      BERTH_ENV_SUBNETS: '10.214.8.0/24',
      BERTH_ENV_STOP_GRACE_MS: '2000',
      BERTH_ENV_SWEEP_INTERVAL_MS: '300',
      BERTH_ENV_MAX_CONCURRENT_OPERATIONS: '1',
    },
    waitForPool: false,
  });
  client = connect({ address: daemon.address });
});

afterEach(async () => {
  const { envs } = await client.env.listEnvs(ListEnvsRequest.fromPartial({}));
  for (const env of envs) await ended(client.destroy(env.envId));
});

afterAll(async () => {
  client.close();
  expect(await daemon.stop()).toBe(0);
  expect(await hostState(daemon.stateDir)).toEqual(before);
  await daemon.dispose();
});

/** Says what it is at `/`, turns ill at `/ill`, ends at `/die`, counts its starts in its volume at `/starts`. */
const APP = `
const fs = require('fs');
const starts = fs.existsSync('/data/n') ? Number(fs.readFileSync('/data/n')) + 1 : 1;
fs.writeFileSync('/data/n', String(starts));
let ill = false;
require('http').createServer((q, r) => {
  if (q.url === '/ill') ill = true;
  r.statusCode = q.url === '/health' && ill ? 500 : 200;
  r.end(q.url === '/starts' ? String(starts) : 'hello');
  if (q.url === '/die') setTimeout(() => process.exit(7), 50);
}).listen(process.env.CONTAINER_PORT);
process.on('SIGTERM', () => process.exit(0));
`;
const CHECK = `require('http').get('http://127.0.0.1:3000/health',r=>process.exit(r.statusCode<500?0:1)).on('error',()=>process.exit(1))`;

function app(appId: string, more: object = {}) {
  const metadata = {
    runtimeType: 'node',
    containerPort: 3000,
    startCommand: 'node server.js',
    volumes: [{ containerPath: '/data' }],
    healthCheck: { test: ['CMD', 'node', '-e', CHECK], intervalMs: 500, retries: 2 },
  };
  const file = (path: string, text: string) => ({ path, content: Buffer.from(text), mode: 0 });
  return {
    userId: 'ada',
    appId,
    files: [file('metadata.json', JSON.stringify(metadata)), file('server.js', APP)],
    ...more,
  };
}

async function ended(events: AsyncIterable<EnvEvent>): Promise<NonNullable<ReturnType<typeof operationEnd>>> {
  let end: ReturnType<typeof operationEnd>;
  for await (const event of events) end = operationEnd(event) ?? end;
  return end!;
}

async function deployed(request: ReturnType<typeof app>): Promise<Env> {
  const end = await ended(client.deploy(request));
  if (end.$case !== 'succeeded') throw new Error(JSON.stringify(end));
  return end.value.env!;
}

/** The events behind the env's newest one, up to and with the first that is wanted. */
async function until(env: Env, wanted: (event: EnvEvent) => boolean): Promise<EnvEvent[]> {
  const seen: EnvEvent[] = [];
  for await (const event of client.watchEnv({ envId: env.envId, afterSeq: env.lastSeq })) {
    seen.push(event);
    if (wanted(event)) break;
  }
  return seen;
}

const get = async (envId: string): Promise<Env> => (await client.env.getEnv({ envId })).env!;
const text = async (env: Env, path: string) => (await fetch(`${env.url}${path}`)).text();
const isWarning = (kind: EnvWarningKind) => (event: EnvEvent) =>
  event.event?.$case === 'warning' && event.event.value.kind === kind;
const isHealth = (to: EnvHealth) => (event: EnvEvent) =>
  event.event?.$case === 'healthChanged' && event.event.value.to === to;

describe('ResetEnv', () => {
  it('drops the data and brings the env up under its URL, also where its container is gone', async () => {
    const env = await deployed(app('reset'));
    await docker('restart', '-t', '1', env.envId);
    const events = await until(env, isHealth(EnvHealth.HEALTHY));
    expect(events.find(isWarning(EnvWarningKind.RESTARTED))).toBeDefined();
    expect(await text(env, '/starts')).toBe('2');
    await docker('rm', '-f', env.envId);
    const end = await ended(client.reset(env.envId));
    expect(end).toMatchObject({
      $case: 'succeeded',
      value: { env: { state: EnvState.RUNNING, url: env.url } },
    });
    expect(await text(env, '/starts')).toBe('1');
  });
});

describe('the end of an env', () => {
  onlyInFull(
    it,
    'is warned of and comes by itself: one that is used outlives one that only its health check asks',
    async () => {
      const life = { idleTimeoutMs: 6_000, ttlMs: 3_600_000 };
      const used = await deployed(app('used', life));
      const idle = await deployed(app('idle', life));
      const visits = setInterval(() => void fetch(used.url).catch(() => undefined), 1_000);
      const events = await until(idle, (event) => operationEnd(event) !== undefined);
      const warning = events.findIndex(isWarning(EnvWarningKind.IDLE_SOON));
      expect(warning).toBeGreaterThanOrEqual(0);
      expect(operationEnd(events.at(-1)!)).toMatchObject({ $case: 'succeeded' });
      expect(await get(idle.envId)).toMatchObject({ state: EnvState.DESTROYED });
      expect((await client.env.explainEnv({ envId: idle.envId })).aliveBecause).toContain(
        'nobody used it for 6 s',
      );
      expect(await get(used.envId)).toMatchObject({ state: EnvState.RUNNING });
      expect((await client.env.explainEnv({ envId: used.envId })).lastActivity).toMatchObject({
        kind: ActivityKind.TRAFFIC,
      });
      clearInterval(visits);
      await until(used, (event) => operationEnd(event) !== undefined);
    },
  );

  it('is put off by ExtendEnv; ExplainEnv says all of it', async () => {
    const env = await deployed(app('expiring', { ttlMs: 20_000, labels: { course: '7' } }));
    expect(env).toMatchObject({ labels: { course: '7' }, restartPolicy: RestartPolicy.UNLESS_STOPPED });
    const { envs } = await client.env.listEnvs(ListEnvsRequest.fromPartial({ labels: { course: '7' } }));
    expect(envs.map(({ envId }) => envId)).toEqual([env.envId]);
    const extended = (await client.env.extendEnv({ envId: env.envId, ttlMs: 600_000 })).env!;
    expect(extended.expireTime!.getTime()).toBeGreaterThan(env.expireTime!.getTime());
    const explained = await client.env.explainEnv({ envId: env.envId });
    expect(explained).toMatchObject({
      goesBecause: 'its time to live is over',
      goesTime: extended.expireTime,
      lastExtension: { kind: ActivityKind.EXTENDED, detail: 'ExtendEnv by 10 min' },
      blockers: [],
      pendingUndos: [],
    });
    expect(explained.memoryBytes).toBeGreaterThan(0);
    expect(explained.usage?.cpuHours).toBeGreaterThan(0);
    const kinds = explained.held.map(({ kind }) => kind);
    for (const kind of ['CONTAINER', 'IMAGE', 'NETWORK', 'VOLUME', 'DIRECTORY', 'PORT', 'SUBNET'] as const) {
      expect(kinds).toContain(ResourceKind[kind]);
    }
    const short = await deployed(app('short', { ttlMs: 2_000 }));
    const events = await until(short, (event) => operationEnd(event) !== undefined);
    expect(events.findIndex(isWarning(EnvWarningKind.EXPIRES_SOON))).toBeGreaterThanOrEqual(0);
  });
});

describe('the health of an env', () => {
  it('that turns bad is said at once, and so is that it is well again after the app was restarted', async () => {
    const env = await deployed(app('ill'));
    await text(env, '/ill');
    await until(env, isHealth(EnvHealth.UNHEALTHY));
    const ill = await get(env.envId);
    expect(ill).toMatchObject({ health: EnvHealth.UNHEALTHY });
    expect(ill.healthMessage).toContain('health check of app failed');
    expect((await client.env.explainEnv({ envId: env.envId })).blockers).toMatchObject([
      { reason: 'APP_NOT_READY' },
    ]);
    await text(env, '/die');
    const events = await until(ill, isHealth(EnvHealth.HEALTHY));
    expect(events.find(isWarning(EnvWarningKind.RESTARTED))).toBeDefined();
    const healthy = await get(env.envId);
    expect(healthy.containers[0]?.restartCount).toBe(1);
    expect(healthy).toMatchObject({ state: EnvState.RUNNING, health: EnvHealth.HEALTHY });
  });

  it('containers that somebody else stops, starts and removes are said', async () => {
    const env = await deployed(app('drift'));
    const isState = (to: EnvState) => (event: EnvEvent) =>
      event.event?.$case === 'stateChanged' && event.event.value.to === to;
    await docker('stop', '-t', '1', env.envId);
    await until(env, isState(EnvState.STOPPED));
    await docker('start', env.envId);
    await until(env, isState(EnvState.RUNNING));
    const running = await get(env.envId);
    await docker('rm', '-f', env.envId);
    const events = await until(running, isWarning(EnvWarningKind.DRIFT));
    expect(events.find(isState(EnvState.BROKEN))).toBeDefined();
  });
});

describe('after berthd was killed', () => {
  it('what should run runs again, as its restart policy says', async () => {
    const back = await deployed(app('back'));
    const not = await deployed(app('not', { restartPolicy: RestartPolicy.NO }));
    await daemon.kill();
    client.close();
    await docker('stop', '-t', '1', back.envId, not.envId);
    daemon = await daemon.restart();
    client = connect({ address: daemon.address });
    await until(back, (event) => operationEnd(event) !== undefined);
    expect(await get(back.envId)).toMatchObject({ state: EnvState.RUNNING });
    expect(await text(back, '/starts')).toBe('2');
    await until(not, (event) => event.event?.$case === 'stateChanged');
    expect(await get(not.envId)).toMatchObject({
      state: EnvState.STOPPED,
      healthMessage: expect.stringContaining('restart policy is NO'),
    });
  });
});

describe('capacity', () => {
  it('deployments wait in order; what the host has no room for is refused with what is short', async () => {
    const all = await Promise.all(
      ['q1', 'q2', 'q3'].map(async (appId) => {
        const positions: number[] = [];
        for await (const event of client.deploy(app(appId)))
          if (event.event?.$case === 'queued') positions.push(event.event.value.position);
        return positions;
      }),
    );
    expect(all.map((positions) => positions.length).sort()).toEqual([0, 1, 2]);
    await deployed(app('full'));
    const refused = await ended(client.deploy(app('more'))).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: 'ENV_CAPACITY' });
    expect(String(refused)).toContain('all 4 ports of 18630-18633 are in use');
  });

  onlyInFull(it, 'disk use that is past its limit stops an env, warned of and with its data', async () => {
    const env = await deployed(app('large'));
    await docker('exec', env.envId, 'sh', '-c', 'head -c 40000000 /dev/zero > /data/large');
    client.close();
    expect(await daemon.stop()).toBe(0);
    // It measures when it starts, and then each minute.
    daemon = await daemon.restart({ BERTH_ENV_MAX_DISK_BYTES: String(32 * 1024 * 1024) });
    client = connect({ address: daemon.address });
    const events = await until(env, (event) => operationEnd(event) !== undefined);
    expect(events.find(isWarning(EnvWarningKind.DISK))).toBeDefined();
    const stopped = await get(env.envId);
    expect(stopped).toMatchObject({ state: EnvState.STOPPED });
    expect(stopped.diskBytes).toBeGreaterThanOrEqual(40_000_000);
    expect(stopped.healthMessage).toContain('of 32 MiB that it may have');
    const volume = ['--volume', `${env.envId}_data:/data`];
    const size = ['stat', '-c', '%s', '/data/large'];
    expect(await docker('run', '--rm', '--network', 'none', ...volume, 'node:20-slim', ...size)).toBe(
      '40000000',
    );
  });
});
