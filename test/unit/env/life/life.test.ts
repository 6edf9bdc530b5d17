import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EnvEventBody } from '../../../../src/domain/env/model.js';
import { EnvHarness } from '../../../support/env/env-harness.js';

const HOUR = 3_600_000;
let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

/** One round later; what it began is followed to its end. */
async function later(ms: number) {
  world.clock.offsetMs += ms;
  const begun = await world.operations.sweep();
  return await Promise.all(begun.map((handle) => world.finish(handle)));
}

function warnings(envId: string): string[] {
  return world.bodies(envId).flatMap((body) => (body.type === 'warning' ? [body.code] : []));
}

const request = (envId: string, more: object = {}) => ({
  tenant: 'default',
  envId,
  requestId: '',
  ttlMs: 0,
  ...more,
});
const lastOf = (envId: string, type: EnvEventBody['type']) =>
  world.bodies(envId).findLast((body) => body.type === type);

it('a deployment that fails before it touches anything leaves the life of the env as it was', async () => {
  const { env } = await world.deploy({ labels: { course: 'a' } });
  const asked = { force: true, idleTimeoutMs: 60_000, ttlMs: 120_000, labels: {} };
  world.engine.images.delete('node:20-slim');
  const failed = await world.deploy(asked);
  expect(failed.last).toMatchObject({ type: 'failed', error: { reason: 'IMAGE_NOT_FOUND' } });
  const { ttlMs, idleTimeoutMs, labels, expiresAt } = env;
  expect(failed.env).toMatchObject({ state: 'running', ttlMs, idleTimeoutMs, labels, expiresAt });
  world.engine.images.add('node:20-slim');
  const { env: now } = await world.deploy(asked);
  expect(now).toMatchObject({ id: env.id, ttlMs: 120_000, idleTimeoutMs: 60_000, labels: {} });
  expect(now.expiresAt).toBeLessThan(Date.now() + 121_000);
});

describe('time to live', () => {
  it('begins with the success of the deployment; the end is warned of, once, and comes by itself', async () => {
    const { env } = await world.deploy();
    expect(env.expiresAt).toBeGreaterThanOrEqual(Date.now() + HOUR - 10_000);
    expect(lastOf(env.id, 'expiry_changed')).toMatchObject({ expiresAt: env.expiresAt, cause: 'operation' });
    expect(await later(HOUR - 301_000)).toEqual([]);
    expect(warnings(env.id)).toEqual([]);
    expect(await later(2_000)).toEqual([]);
    expect(lastOf(env.id, 'warning')).toMatchObject({ code: 'EXPIRES_SOON', effectiveAt: env.expiresAt });
    expect(await later(60_000)).toEqual([]);
    expect(warnings(env.id)).toEqual(['EXPIRES_SOON']);
    const [expired] = await later(240_000);
    expect(expired?.last).toMatchObject({ type: 'succeeded', kind: 'expire', state: 'destroyed' });
    expect(expired?.env.stateReason).toBe('its time to live is over');
    await world.expectNothingLeft();
    world.expectGoodLogs();
  });

  it('is warned of even where the time to warn was missed', async () => {
    const { env } = await world.deploy();
    const [expired] = await later(3 * HOUR);
    expect(expired?.env.state).toBe('destroyed');
    const types = world.bodies(env.id).map((body) => body.type);
    expect(types.lastIndexOf('warning')).toBeLessThan(types.lastIndexOf('operation_started'));
    expect(warnings(env.id)).toEqual(['EXPIRES_SOON']);
  });

  it('is what the request says, and is given anew to an env that is answered as it is', async () => {
    const { env } = await world.deploy({ ttlMs: 2 * HOUR });
    world.clock.offsetMs += HOUR;
    const again = await world.deploy({ ttlMs: 3 * HOUR });
    expect(again.last).toMatchObject({ outcome: 'already_running' });
    expect(again.env.expiresAt).toBeGreaterThan((env.expiresAt ?? 0) + HOUR);
    expect(again.env.ttlMs).toBe(3 * HOUR);
  });

  it('ends stopped and broken envs as well, and nothing that is under way', async () => {
    const first = await world.deploy();
    await world.stop(first.env.id);
    expect((await later(HOUR + 1_000)).map(({ env }) => env.state)).toEqual(['destroyed']);
    let sweeping: Promise<unknown[]> | undefined;
    const second = await world.deploy();
    world.engine.before = (method) => {
      if (method !== 'stop') return;
      world.engine.before = () => {};
      sweeping = later(2 * HOUR);
    };
    await world.stop(second.env.id);
    expect(await sweeping).toEqual([]);
  });

  it('is kept by whoever has the lease, for envs of the same owner and host', async () => {
    const { env } = await world.deploy();
    world.leases.holders.set('env-sweep/test@here', 'another');
    expect(await later(2 * HOUR)).toEqual([]);
    world.leases.holders.clear();
    world.config = { ...world.config, host: 'elsewhere' };
    world.restart();
    expect(await later(0)).toEqual([]);
    world.config = { ...world.config, host: 'here' };
    world.restart();
    expect((await later(0)).map((one) => one.env.id)).toEqual([env.id]);
  });
});

describe('ExtendEnv', () => {
  it('gives more time, never less, tells of it, and replays its request id', async () => {
    const { env } = await world.deploy();
    world.clock.offsetMs += HOUR / 2;
    const extended = await world.operations.extend(request(env.id, { requestId: 'x-1' }));
    expect(extended.expiresAt).toBeGreaterThanOrEqual((env.expiresAt ?? 0) + HOUR / 2 - 10_000);
    expect(extended.lastExtension).toMatchObject({ kind: 'extended', detail: 'ExtendEnv by 1 h' });
    expect(lastOf(env.id, 'expiry_changed')).toMatchObject({
      cause: 'extended',
      expiresAt: extended.expiresAt,
    });
    const seq = world.store.log.get(env.id)?.length;
    world.clock.offsetMs += 60_000;
    expect((await world.operations.extend(request(env.id, { requestId: 'x-1' }))).expiresAt).toBe(
      extended.expiresAt,
    );
    expect((await world.operations.extend(request(env.id, { ttlMs: 1_000 }))).expiresAt).toBe(
      extended.expiresAt,
    );
    expect(world.store.log.get(env.id)?.length).toBe(seq);
    await expect(
      world.operations.extend(request(env.id, { requestId: 'x-1', ttlMs: 5 })),
    ).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    await expect(world.operations.extend(request(env.id, { ttlMs: 8 * 24 * HOUR }))).rejects.toMatchObject({
      violations: [{ field: 'ttl_ms', rule: 'must be from 0 to 604800000' }],
    });
    await world.destroy(env.id);
    await expect(world.operations.extend(request(env.id))).rejects.toMatchObject({ reason: 'ENV_STATE' });
  });

  it('puts off what was warned of, and the new end is warned of again', async () => {
    const { env } = await world.deploy();
    await later(HOUR - 200_000);
    await world.operations.extend(request(env.id));
    expect(await later(HOUR - 400_000)).toEqual([]);
    expect(warnings(env.id)).toEqual(['EXPIRES_SOON']);
    await later(200_000);
    expect(warnings(env.id)).toEqual(['EXPIRES_SOON', 'EXPIRES_SOON']);
  });
});

describe('idleness', () => {
  const LONG = { ttlMs: 24 * HOUR };
  /** Deploys, with a kernel that counts and counts nothing. */
  const deployQuiet = async () => {
    const deployed = await world.deploy(LONG);
    const [container = ''] = deployed.env.containerIds;
    world.engine.counts.set(container, { life: 'a', accepted: 1, open: 0 });
    return deployed;
  };

  it('ends an env that nobody used for two hours, warned of before', async () => {
    const { env } = await deployQuiet();
    expect(await later(2 * HOUR - 100_000)).toEqual([]);
    expect(warnings(env.id)).toEqual(['IDLE_SOON']);
    const [gone] = await later(101_000);
    expect(gone?.env).toMatchObject({ state: 'destroyed', stateReason: 'nobody used it for 2 h' });
  });

  it.each([
    ['an operation', (id: string) => world.operations.noteActivity('default', id, 'operation')],
    ['a session', (id: string) => world.operations.openSession('default', id, 'ExecEnv').close()],
    ['ExtendEnv', (id: string) => world.operations.extend(request(id))],
  ])('is put off by %s', async (_, use) => {
    const { env } = await deployQuiet();
    await later(2 * HOUR - 100_000);
    await Promise.resolve(use(env.id));
    expect(await later(2 * HOUR - 400_000)).toEqual([]);
    expect((await later(401_000)).length).toBe(1);
  });

  it('does not come while a session is open, but its reader must be of the tenant', async () => {
    const { env } = await deployQuiet();
    const session = world.operations.openSession('default', env.id, 'StreamEnvLogs');
    expect(await later(3 * HOUR)).toEqual([]);
    expect((await world.operations.get('default', env.id)).lastActivity).toMatchObject({
      kind: 'session',
      detail: 'StreamEnvLogs',
    });
    session.close();
    expect((await later(2 * HOUR + 1_000)).length).toBe(1);
  });

  it('is put off by traffic on the port, not by health checks', async () => {
    const { env } = await world.deploy({ ...LONG, idleTimeoutMs: HOUR });
    const [container = ''] = env.containerIds;
    await world.operations.live();
    const accept = (accepted: number) => world.engine.counts.set(container, { life: 'a', accepted, open: 0 });
    const check = () => {
      world.engine.emit(env.id, { service: 'app', action: 'exec_start' });
      world.engine.emit(env.id, { service: 'app', action: 'exec_die' });
    };
    accept(3);
    await later(0);
    check();
    accept(4);
    await later(HOUR / 2);
    accept(5);
    await later(1_000);
    await later(1_000);
    expect(lastOf(env.id, 'warning')).toBeUndefined();
    const { lastActivity } = await world.operations.get('default', env.id);
    expect(lastActivity).toMatchObject({ kind: 'traffic', detail: '1 connection' });
    for (let n = 6; n < 16; n++) {
      check();
      accept(n);
      expect(await later(HOUR / 11)).toEqual([]);
    }
    check();
    accept(16);
    expect((await later(HOUR / 8)).length).toBe(1);
  });

  it('is not assumed where traffic cannot be measured', async () => {
    const { env } = await world.deploy(LONG);
    for (let n = 0; n < 5; n++) expect(await later(HOUR)).toEqual([]);
    expect((await world.operations.get('default', env.id)).lastActivity).toMatchObject({
      detail: 'traffic cannot be measured here',
    });
  });
});

describe('disk use', () => {
  it('is measured, warned of near its limit, and stops the env past it', async () => {
    const { env } = await world.deploy();
    world.engine.written = 100 * 1024 * 1024;
    await later(60_000);
    expect((await world.operations.get('default', env.id)).diskBytes).toBeGreaterThanOrEqual(
      100 * 1024 * 1024,
    );
    expect(warnings(env.id)).toEqual([]);
    world.engine.written = 900 * 1024 * 1024;
    await later(60_000);
    await later(60_000);
    expect(warnings(env.id)).toEqual(['DISK']);
    world.engine.written = 1100 * 1024 * 1024;
    await later(60_000);
    await world.operations.close(5_000);
    const stopped = await world.operations.get('default', env.id);
    expect(stopped.state).toBe('stopped');
    expect(stopped.stateReason).toContain('of 1024 MiB that it may have');
    expect(warnings(env.id)).toEqual(['DISK', 'DISK']);
  });
});
