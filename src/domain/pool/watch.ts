import type { PoolEvent, PoolEvents } from './events.js';
import type { SandboxPool } from './pool.js';

export interface WatchOptions {
  /** Only of this pool; empty: of all. */
  poolId: string;
  /** The last event that was received; 0: begin with a snapshot of each pool, then what is new. */
  afterSeq: number;
  includeExecutions: boolean;
  /** 0: no snapshots but the first. Milliseconds. */
  snapshotIntervalMs: number;
  signal: AbortSignal;
}

/** How a pool is at the time of event `seq`, the last one before. */
export interface Snapshot {
  seq: number;
  /** Milliseconds since the epoch. */
  time: number;
  poolId: string;
  body: { type: 'snapshot'; pool: SandboxPool };
}

/**
 * The events of the pools as they come, with snapshots between, until the signal is aborted.
 * @throws BerthError HISTORY_GONE at the start, or when the reader is too slow for the history
 */
export async function* watchPools(
  events: PoolEvents,
  pools: () => readonly SandboxPool[],
  { poolId, afterSeq, includeExecutions, snapshotIntervalMs, signal }: WatchOptions,
): AsyncGenerator<PoolEvent | Snapshot> {
  const isWanted = (id: string): boolean => poolId === '' || id === poolId;
  const snapshots = (seq: number): Snapshot[] =>
    pools()
      .filter((pool) => isWanted(pool.id))
      .map((pool) => ({
        seq,
        time: Date.now(),
        poolId: pool.id,
        body: { type: 'snapshot', pool },
      }));
  const stopKeeping = includeExecutions ? events.keepExecutions() : undefined;
  try {
    let seq = afterSeq === 0 ? events.seq : afterSeq;
    let lastSnapshot = performance.now();
    if (afterSeq === 0) yield* snapshots(seq);
    while (!signal.aborted) {
      events.checkKept(seq, includeExecutions);
      const page = events.page(seq, includeExecutions);
      for (const event of page) {
        if (signal.aborted) return;
        seq = event.seq;
        if (isWanted(event.poolId)) yield event;
      }
      if (page.length > 0) continue;
      // Nothing up to here is wanted any more.
      seq = events.seq;
      const nextSnapshotMs =
        snapshotIntervalMs === 0
          ? undefined
          : Math.max(0, lastSnapshot + snapshotIntervalMs - performance.now());
      if (nextSnapshotMs === 0) {
        lastSnapshot = performance.now();
        yield* snapshots(seq);
      } else await events.news(signal, nextSnapshotMs);
    }
  } finally {
    stopKeeping?.();
  }
}
