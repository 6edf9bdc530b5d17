import { describe, expect, it } from 'vitest';
import { PoolEvents } from '../../../src/domain/pool/events.js';
import { watchPools, type WatchOptions } from '../../../src/domain/pool/watch.js';
import { FakeFactory } from '../../support/fake-sandboxes.js';
import { makePool, settle } from './make-pool.js';

function watching(
  events: PoolEvents,
  pools: ReturnType<typeof makePool>[],
  options: Partial<WatchOptions> = {},
) {
  const abort = new AbortController();
  const stream = watchPools(events, () => pools, {
    poolId: '',
    afterSeq: 0,
    includeExecutions: false,
    snapshotIntervalMs: 0,
    signal: abort.signal,
    ...options,
  });
  const next = async () => (await stream.next()).value!;
  return { next, stop: () => abort.abort(), stream };
}

const REMOVED = { type: 'removed' } as const;

describe('watchPools', () => {
  it('begins with a snapshot of each pool and goes on with what is new', async () => {
    const events = new PoolEvents();
    const pool = makePool(new FakeFactory({ auto: true }), { events });
    await settle();
    const seq = events.seq;
    const { next } = watching(events, [pool]);
    expect(await next()).toMatchObject({ seq, poolId: 'pool-test', body: { type: 'snapshot', pool } });
    pool.resize({ ...pool.settings, max: 5 });
    expect(await next()).toMatchObject({ seq: seq + 1, body: { type: 'resized' } });
  });

  it('sends executions only to those who want them, and keeps none when nobody does', async () => {
    const events = new PoolEvents();
    const pool = makePool(new FakeFactory({ auto: true }), { events });
    await settle();
    (await pool.acquire('a')).release();
    await settle();
    expect(events.page(0, true).some(({ body }) => body.type === 'sandbox_acquired')).toBe(false);
    const { next } = watching(events, [pool], { includeExecutions: true });
    await next();
    (await pool.acquire('a')).release();
    await settle();
    const seen = [await next(), await next(), await next()].map(({ body }) => body.type);
    expect(seen).toEqual(['sandbox_acquired', 'sandbox_reset', 'sandbox_returned']);
  });

  it('resumes after an event, and says when the history is gone', async () => {
    const events = new PoolEvents();
    events.emit('pool-a', REMOVED);
    events.emit('pool-b', REMOVED);
    expect(await watching(events, [], { afterSeq: 1 }).next()).toMatchObject({ seq: 2, poolId: 'pool-b' });
    await expect(watching(events, [], { afterSeq: 3 }).next()).rejects.toMatchObject({
      reason: 'HISTORY_GONE',
    });
    for (let i = 0; i < 3_000; i++) events.emit('pool-a', REMOVED);
    await expect(watching(events, [], { afterSeq: 1 }).next()).rejects.toMatchObject({
      reason: 'HISTORY_GONE',
    });
    // A time in which executions were not kept is a gap to those who want them.
    await expect(
      watching(events, [], { afterSeq: events.seq - 1, includeExecutions: true }).next(),
    ).rejects.toMatchObject({ reason: 'HISTORY_GONE' });
  });

  it('drops a reader that is too slow instead of buffering for it', async () => {
    const events = new PoolEvents();
    const { next } = watching(events, [], { afterSeq: 0 });
    const first = next();
    events.emit('pool-a', REMOVED);
    await first;
    for (let i = 0; i < 3_000; i++) events.emit('pool-a', REMOVED);
    await expect(next()).rejects.toMatchObject({ reason: 'HISTORY_GONE' });
  });

  it('filters by pool and sends snapshots in between', async () => {
    const events = new PoolEvents();
    const pool = makePool(new FakeFactory({ auto: true }), { events });
    const { next, stop, stream } = watching(events, [pool], { poolId: 'pool-test', snapshotIntervalMs: 1 });
    expect((await next()).body.type).toBe('snapshot');
    events.emit('pool-b', REMOVED);
    let again = await next();
    while (again.body.type !== 'snapshot') again = await next();
    expect(again.poolId).toBe('pool-test');
    stop();
    for await (const event of stream) expect(event.poolId).toBe('pool-test');
  });
});
