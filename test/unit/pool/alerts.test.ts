import { expect, test } from 'vitest';
import { PoolAlerts, type PoolCondition } from '../../../src/domain/pool/alerts.js';
import { RecentWindow, WINDOW_MS } from '../../../src/domain/pool/recent-window.js';
import { BerthError } from '../../../src/domain/errors.js';
import { FakeFactory } from '../../support/fake-sandboxes.js';
import { makePool, settle, SETTINGS } from './make-pool.js';

function judged() {
  const told: string[] = [];
  const recent = new RecentWindow();
  const alerts = new PoolAlerts({
    raised: ({ kind }) => told.push(`+${kind}`),
    cleared: ({ kind }) => told.push(`-${kind}`),
  });
  const condition: PoolCondition = {
    now: 1_000_000,
    recent,
    available: 1,
    total: 1,
    max: 2,
    longestWaitMs: 0,
    backoff: { lastError: undefined, inARow: 0 },
    budgetUsed: undefined,
  };
  return { told, recent, alerts, condition };
}

test('nothing is wrong with a pool that serves', () => {
  const { alerts, condition } = judged();
  expect(alerts.evaluate(condition)).toEqual([]);
});

test('each alert is raised above its threshold, once, and cleared when its time has passed', () => {
  const { told, recent, alerts, condition } = judged();
  const { now } = condition;
  for (let i = 0; i < 99; i++) recent.reset(now, true);
  recent.reset(now, false);
  expect(alerts.evaluate(condition)).toEqual([]);
  recent.reset(now, false);
  expect(alerts.evaluate(condition)).toMatchObject([
    { kind: 'reset_failures', since: now, threshold: 0.01, value: expect.closeTo(2 / 101) },
  ]);
  recent.acquired(now, 1_500);
  expect(alerts.evaluate({ ...condition, now: now + 5_000 })).toMatchObject([
    { kind: 'reset_failures', since: now },
    { kind: 'slow_acquire', since: now + 5_000, value: 1_500, threshold: 1_000 },
  ]);
  expect(alerts.evaluate({ ...condition, now: now + WINDOW_MS + 10_000 })).toEqual([]);
  expect(told).toEqual(['+reset_failures', '+slow_acquire', '-reset_failures', '-slow_acquire']);
});

test('one slow acquire among many is no alert; one that still waits is', () => {
  const { recent, alerts, condition } = judged();
  for (let i = 0; i < 30; i++) recent.acquired(condition.now, 1);
  recent.acquired(condition.now, 5_000);
  expect(alerts.evaluate(condition)).toEqual([]);
  expect(alerts.evaluate({ ...condition, longestWaitMs: 1_001 })).toMatchObject([{ kind: 'slow_acquire' }]);
});

test('exhaustion, failing creations and a used-up budget are told with what to do', () => {
  const { alerts, condition } = judged();
  const found = alerts.evaluate({
    ...condition,
    available: 0,
    total: 2,
    backoff: { lastError: new BerthError('IMAGE_NOT_FOUND', 'no image'), inARow: 3 },
    budgetUsed: 'all is promised',
  });
  expect(found.map(({ kind }) => kind)).toEqual(['exhausted', 'create_failures', 'host_budget']);
  expect(found[1]).toMatchObject({ value: 3, message: expect.stringContaining('no image') });
});

test('a sandbox past its maximum of uses or age is replaced with its cause', async () => {
  let now = 1_000_000;
  const factory = new FakeFactory({ auto: true });
  const pool = makePool(factory, {
    now: () => now,
    settings: { ...SETTINGS, maxUses: 1, maxAgeMs: 10_000, keepForTenantMs: 60_000 },
  });
  await settle();
  const used = await pool.acquire('a');
  factory.made[0]!.uses = 1;
  used.release();
  await settle();
  expect(factory.made[0]!.destroyCalls).toBe(1);
  expect(pool.counters.resets).toBe(0);
  now += 10_000;
  pool.maintain();
  await settle();
  expect(factory.made.slice(0, 3).every(({ destroyCalls }) => destroyCalls === 1)).toBe(true);
  expect(pool.count('warm')).toBe(3);
});

test('the receipt of a reset that failed is kept, with what it found', async () => {
  const factory = new FakeFactory({ auto: false });
  const pool = makePool(factory);
  factory.pending.shift()!.finish();
  const lease = await pool.acquire('a');
  lease.release();
  factory.made[0]!.resets[0]!.reject(new Error('two files are left'));
  await settle();
  expect(pool.recentResets).toMatchObject([
    { sandboxId: lease.sandbox.id, receipt: { ok: false, error: 'two files are left' } },
  ]);
  expect(pool.alerts().map(({ kind }) => kind)).toEqual(['reset_failures']);
});
