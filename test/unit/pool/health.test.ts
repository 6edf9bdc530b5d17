import { describe, expect, it } from 'vitest';
import { judgeHealth } from '../../../src/domain/sandbox/health.js';
import { FakeFactory, WELL } from '../../support/fake-sandboxes.js';
import { makePool, settle, SETTINGS } from './make-pool.js';

const PONG = { processes: 3, memoryBytes: 10, memoryLimitBytes: 100, rootReadOnly: true, uptimeMs: 1 };
const SIGNS = { running: true, pong: PONG, processesOutside: 3, memoryLimitBytes: 100, tookMs: 1 };

describe('the five points', () => {
  it('are well together', () => {
    expect(judgeHealth(SIGNS)).toMatchObject({ healthy: true, message: '', memoryBytes: 10, processes: 3 });
  });

  it.each([
    ['the container', { running: false }, { running: false }],
    ['the runner', { pong: undefined }, { responsive: false }],
    ['memory', { pong: { ...PONG, memoryBytes: 90 } }, { memoryOk: false }],
    ['processes inside', { pong: { ...PONG, processes: 50 } }, { processesOk: false }],
    ['processes from outside', { processesOutside: 50 }, { processesOk: false }],
    ['the root', { pong: { ...PONG, rootReadOnly: false } }, { rootReadOnly: false }],
  ])('each fail: %s', (_name, signs, expected) => {
    const health = judgeHealth({ ...SIGNS, ...signs });
    expect(health).toMatchObject({ healthy: false, ...expected });
    expect(health.message).not.toBe('');
  });
});

describe('health rounds', () => {
  async function aRound() {
    let now = 1_000_000;
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, {
      now: () => now,
      settings: { ...SETTINGS, initial: 2, keepForTenantMs: 600_000 },
    });
    await settle();
    now += 30_000;
    pool.maintain();
    await settle();
    return { factory, pool };
  }

  it('check idle sandboxes one after the other, and count', async () => {
    const { factory, pool } = await aRound();
    expect(factory.made.map(({ checks }) => checks.length)).toEqual([1, 0]);
    factory.made[0]!.checks[0]!.resolve(WELL);
    await settle();
    factory.made[1]!.checks[0]!.resolve(WELL);
    await settle();
    expect(pool.counters).toMatchObject({ healthChecks: 2, healthCheckFailures: 0 });
  });

  it('replace one that is unwell, and raise the alert', async () => {
    const { factory, pool } = await aRound();
    factory.made[0]!.checks[0]!.resolve({ ...WELL, healthy: false, message: 'it is unwell' });
    await settle();
    expect(factory.made[0]!.destroyCalls).toBe(1);
    expect(pool.counters.healthCheckFailures).toBe(1);
    expect(pool.count('warm')).toBe(2);
    expect(pool.alerts().map(({ kind }) => kind)).toEqual(['health_failures']);
  });

  it('never hold a sandbox: one is leased in the middle of its check, and the outcome is dropped', async () => {
    const { factory, pool } = await aRound();
    const lease = await pool.acquire('a');
    expect(lease.hit).toBe(true);
    expect(lease.sandbox).toBe(factory.made[0]);
    factory.made[0]!.checks[0]!.resolve({ ...WELL, healthy: false });
    await settle();
    expect(factory.made[0]!.destroyCalls).toBe(0);
    expect(pool.counters.healthChecks).toBe(0);
    // The leased one is not checked, the other one is.
    expect(factory.made[1]!.checks).toHaveLength(1);
  });
});

describe('a container that has died', () => {
  const LOSS = { cause: 'container_died', message: 'killed', oomKilled: false } as const;

  it('ends an idle sandbox at once, whatever its channel says', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    pool.containerDied(factory.made[0]!.id, LOSS);
    expect(pool.count('warm')).toBe(2);
    expect(pool.counters.lost).toBe(1);
    await settle();
    expect(pool.count('warm')).toBe(3);
  });

  it('leaves a leased one to its execution, which the sandbox tells', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const lease = await pool.acquire('a');
    pool.containerDied(lease.sandbox.id, LOSS);
    expect(pool.count('leased')).toBe(1);
    expect(factory.made[0]!.deaths).toBe(1);
  });
});
