import { describe, expect, it } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import { HostBudget } from '../../../src/domain/pool/host-budget.js';
import type { Lease } from '../../../src/domain/pool/lease.js';
import { FakeFactory, SPEC, type FakeSandbox } from '../../support/fake-sandboxes.js';
import { makePool, PLENTY, settle, SETTINGS } from './make-pool.js';

const fake = (lease: Lease): FakeSandbox => lease.sandbox as FakeSandbox;

describe('SandboxPool', () => {
  it('warms up to its initial size and not further', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    expect(pool.count('warm')).toBe(3);
    expect(factory.existing).toBe(3);
  });

  it('gives a warm sandbox at once as a hit, and replaces it behind the request', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const lease = await pool.acquire('a');
    expect(lease.hit).toBe(true);
    await settle();
    expect(pool.count('warm')).toBe(3);
    expect(pool.count('leased')).toBe(1);
  });

  it('gives a tenant the sandbox it had before, and never one that another tenant had', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const first = await pool.acquire('a');
    first.release();
    await settle();
    const other = await pool.acquire('b');
    expect(other.sandbox.id).not.toBe(first.sandbox.id);
    const again = await pool.acquire('a');
    expect(again.sandbox.id).toBe(first.sandbox.id);
  });

  it('two hundred acquirers at once never bring about an eleventh sandbox, and all are served in order', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    const served: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const lease = await pool.acquire(`tenant`);
        served.push(i);
        await settle();
        lease.release();
      }),
    );
    expect(factory.mostAtOnce).toBe(10);
    expect(served).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it('replaces the sandbox that was kept longest when another tenant waits at the maximum', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, min: 0, initial: 0, max: 2 } });
    const first = await pool.acquire('a');
    const second = await pool.acquire('b');
    first.release();
    await settle();
    second.release();
    await settle();
    const third = await pool.acquire('c');
    expect(third.missReason).toBe('other_tenant');
    expect(fake(first).destroyCalls).toBe(1);
    expect(fake(second).destroyCalls).toBe(0);
    expect(factory.mostAtOnce).toBe(2);
  });

  it('a full pool whose tenants change has a fresh sandbox ready before the next one comes', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, initial: 1, max: 3 } });
    const turn = async (tenant: string): Promise<Lease> => {
      const lease = await pool.acquire(tenant);
      lease.release();
      await settle();
      return lease;
    };
    for (const tenant of ['a', 'b', 'c']) await turn(tenant);
    expect([pool.count('kept'), pool.count('warm')]).toEqual([3, 0]);
    expect((await turn('d')).missReason).toBe('other_tenant');
    expect([pool.count('kept'), pool.count('warm')]).toEqual([2, 1]);
    expect((await turn('e')).hit).toBe(true);
    expect(factory.mostAtOnce).toBe(3);
  });

  it('one through which tenants pass has more fresh ones and empty places, and keeps the sandboxes of who comes back', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, initial: 1, max: 5 } });
    const turn = async (tenant: string): Promise<Lease> => {
      const lease = await pool.acquire(tenant);
      lease.release();
      await settle();
      return lease;
    };
    for (const tenant of ['a', 'b', 'c', 'd', 'e', 'f']) await turn(tenant);
    await Promise.all(['g', 'h', 'i', 'j'].map(turn));
    expect(pool.count('warm')).toBe(2);
    expect(pool.size).toBeLessThan(5);

    const first = await turn('j');
    expect((await turn('j')).sandbox.id).toBe(first.sandbox.id);
  });

  it('a full pool takes nothing ahead of need from tenants who come back', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, initial: 2, max: 3 } });
    const tenants = ['a', 'b', 'c'];
    for (const tenant of [...tenants, ...tenants, ...tenants]) {
      const lease = await pool.acquire(tenant);
      lease.release();
      await settle();
    }
    expect(pool.count('kept')).toBe(3);
    expect(pool.counters.destroyed).toBe(0);
  });

  it('a waiter that gives up leaves no hole', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, min: 0, initial: 0, max: 1 } });
    const lease = await pool.acquire('a');
    const cancelled = new AbortController();
    const gone = pool.acquire('a', { signal: cancelled.signal });
    const next = pool.acquire('a');
    cancelled.abort();
    await expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    lease.release();
    expect((await next).sandbox.id).toBe(lease.sandbox.id);
    expect(pool.waiting).toBe(0);
  });

  it('says why after waiting in vain', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, min: 0, initial: 0, max: 1 } });
    await pool.acquire('a');
    await expect(pool.acquire('b', { timeoutMs: 5 })).rejects.toMatchObject({
      reason: 'POOL_EXHAUSTED',
      message: expect.stringContaining('1 of at most 1 are in use'),
    });
    expect(pool.counters.acquireTimeouts).toBe(1);
  });

  it('destroys and replaces a sandbox whose reset fails', async () => {
    const factory = new FakeFactory({ auto: false });
    const pool = makePool(factory, { settings: { ...SETTINGS, min: 1, initial: 1, max: 2 } });
    factory.pending.shift()!.finish();
    const lease = await pool.acquire('a');
    lease.release();
    fake(lease).resets[0]!.reject(new Error('files are left'));
    await settle();
    expect(fake(lease).destroyCalls).toBe(1);
    expect(pool.counters.resetFailures).toBe(1);
    expect(pool.count('destroying')).toBe(1);
    expect(factory.pending).toHaveLength(1);
  });

  it('takes a dead sandbox out and makes a new one', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    factory.made[0]!.die();
    await settle();
    expect(factory.made[0]!.destroyCalls).toBe(1);
    expect(pool.count('warm')).toBe(3);
    expect(pool.counters.lost).toBe(1);
  });

  it('tells waiters at once why nothing can be created, and backs off', async () => {
    let creations = 0;
    const factory = new FakeFactory({
      auto: true,
      failWith: () => {
        creations++;
        return new BerthError('IMAGE_NOT_FOUND', 'the image test:1 is not on this host');
      },
    });
    const pool = makePool(factory);
    await expect(pool.acquire('a')).rejects.toMatchObject({
      missReason: 'create_failed',
      error: { reason: 'IMAGE_NOT_FOUND' },
    });
    await settle();
    expect(creations).toBeLessThanOrEqual(2);
    expect(pool.backoff.lastError?.reason).toBe('IMAGE_NOT_FOUND');
    expect(pool.backoff.nextAttemptAt).toBeGreaterThan(Date.now());
  });

  it('gives up a kept sandbox when its time is over, and shrinks to the minimum when idle', async () => {
    let now = 1_000_000;
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { now: () => now });
    await settle();
    (await pool.acquire('a')).release();
    await settle();
    expect(pool.count('kept')).toBe(1);
    now += 60_000;
    pool.maintain();
    await settle();
    expect(pool.count('kept')).toBe(0);
    now += 300_000;
    pool.maintain();
    await settle();
    expect(pool.count('warm')).toBe(1);
    expect(pool.counters.idleReclaimed).toBeGreaterThan(0);
  });

  it('uses a single-use sandbox once', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { spec: { ...SPEC, isolation: 'single_use' } });
    await settle();
    const lease = await pool.acquire('a');
    lease.release();
    await settle();
    expect(fake(lease).destroyCalls).toBe(1);
    expect(fake(lease).resets).toHaveLength(0);
    expect(pool.count('warm')).toBe(3);
  });

  it('closes only when every sandbox is gone, leased ones when they are released', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const lease = await pool.acquire('a');
    const closing = pool.close();
    await expect(pool.acquire('a')).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
    await settle();
    expect(pool.slots().size).toBe(1);
    lease.release();
    await closing;
    expect(factory.existing).toBe(0);
  });

  it('grows and shrinks when it is resized, and never touches a leased sandbox', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const lease = await pool.acquire('a');
    pool.resize({ ...SETTINGS, min: 0, initial: 0, max: 1 });
    await settle();
    expect(pool.slots().size).toBe(1);
    expect(pool.count('leased')).toBe(1);
    expect(() => pool.resize({ ...SETTINGS, min: 2, initial: 1, max: 3 })).toThrow(
      'initial must not be below the minimum',
    );
    lease.release();
  });

  it('warm resolves when so many are ready', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await pool.warm(6);
    expect(pool.count('warm')).toBe(6);
  });

  it('removes a sandbox once that died at once and is not wanted any more', async () => {
    const factory = new FakeFactory({ auto: false });
    const budget = new HostBudget(PLENTY);
    const settings = { ...SETTINGS, initial: 3, max: 3 };
    const pool = makePool(factory, { settings, budget, parallelCreates: 3 });
    pool.resize({ ...settings, min: 0, initial: 0, max: 1 });
    factory.pending[0]!.finish();
    factory.made[0]!.lost = true;
    await settle();
    expect(factory.made[0]!.destroyCalls).toBe(1);
    factory.made[0]!.gone.resolve();
    await settle();
    expect(budget.promised.memoryBytes).toBe(2 * SPEC.limits.memoryBytes);
  });
});
