import { describe, expect, it } from 'vitest';
import { PoolEvents } from '../../../src/domain/pool/events.js';
import { FakeFactory } from '../../support/fake-sandboxes.js';
import { makePool, settle, SETTINGS } from './make-pool.js';

describe('draining', () => {
  it('destroys what is idle, refuses what waits and comes, and is drained when the last one is released', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory, { settings: { ...SETTINGS, min: 0, initial: 1, max: 1 } });
    await settle();
    const lease = await pool.acquire('a');
    const waiting = pool.acquire('b');
    const drained = pool.drain(60_000);
    await expect(waiting).rejects.toMatchObject({
      missReason: 'draining',
      error: { reason: 'POOL_DRAINING' },
    });
    await expect(pool.acquire('a')).rejects.toMatchObject({ missReason: 'draining' });
    expect(pool.state).toBe('draining');
    await settle();
    expect(pool.size).toBe(1);
    lease.release();
    expect(await drained).toBe(0);
    expect(pool.state).toBe('drained');
    expect(factory.existing).toBe(0);
    await pool.warm(1);
    expect(pool.state).toBe('ready');
    expect(pool.available).toBe(1);
  });

  it('takes sandboxes away from executions when its time is over, and counts them', async () => {
    const pool = makePool(new FakeFactory({ auto: true }));
    await settle();
    const lease = await pool.acquire('a');
    let revoked = 0;
    lease.onRevoked = () => {
      revoked++;
      lease.release();
    };
    expect(await pool.drain(1)).toBe(1);
    expect(revoked).toBe(1);
  });

  it('tells watchers of each state', async () => {
    const events = new PoolEvents();
    const pool = makePool(new FakeFactory({ auto: true }), { events });
    await settle();
    await pool.drain(1_000);
    const states = events
      .page(0, false)
      .flatMap(({ body }) => (body.type === 'state_changed' ? [[body.from, body.to]] : []));
    expect(states).toEqual([
      ['warming', 'ready'],
      ['ready', 'draining'],
      ['draining', 'drained'],
    ]);
  });
});

describe('a closed pool', () => {
  it('warms up no more', async () => {
    const pool = makePool(new FakeFactory({ auto: true }));
    await pool.close();
    await expect(pool.warm(1)).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
  });
});

describe('recycling', () => {
  it('replaces an idle sandbox at once', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const { id } = factory.made[0]!;
    await pool.recycle(id, false);
    await settle();
    expect(pool.slots().has(id)).toBe(false);
    expect(pool.count('warm')).toBe(3);
  });

  it('waits for the end of what runs in it, and resets nothing then', async () => {
    const factory = new FakeFactory({ auto: true });
    const pool = makePool(factory);
    await settle();
    const lease = await pool.acquire('a');
    const recycled = pool.recycle(lease.sandbox.id, false);
    await settle();
    expect(pool.slots().has(lease.sandbox.id)).toBe(true);
    lease.release();
    await recycled;
    expect(pool.counters.resets).toBe(0);
  });

  it('ends what runs in it by force', async () => {
    const pool = makePool(new FakeFactory({ auto: true }));
    await settle();
    const lease = await pool.acquire('a');
    lease.onRevoked = () => lease.release();
    await pool.recycle(lease.sandbox.id, true);
    expect(pool.slots().has(lease.sandbox.id)).toBe(false);
  });

  it('gives up a creation', async () => {
    const factory = new FakeFactory({ auto: false });
    const pool = makePool(factory);
    const { id } = factory.pending[0]!;
    await pool.recycle(id, false);
    expect(pool.slots().has(id)).toBe(false);
    expect(pool.counters.createFailures).toBe(0);
  });
});
