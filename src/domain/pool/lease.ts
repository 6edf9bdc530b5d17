import type { AnySandbox } from '../sandbox/sandbox.js';
import type { MissReason, ServedBy } from './outcome.js';

/** The right of one execution to one sandbox. `release` once, whatever happened. */
export interface Lease {
  readonly sandbox: AnySandbox;
  /** Empty when it came from no pool. */
  readonly poolId: string;
  readonly servedBy: ServedBy;
  /** More about a miss, or about why no pool served it, for people; empty: nothing to say. */
  readonly servedReason: string;
  readonly hit: boolean;
  readonly missReason: MissReason | undefined;
  /** Time from the request to the lease. Milliseconds. */
  readonly waitMs: number;
  /**
   * Set by who holds the lease; called at most once when the sandbox is taken away from a running execution: a drain whose
   * time is over, a recycle by force. The holder ends its execution and releases.
   */
  onRevoked: (() => void) | undefined;
  release(): void;
}

/** What the caller of `acquire` is told while it waits. */
export interface AcquireProgress {
  phase: 'waiting_for_sandbox' | 'creating_sandbox';
  /** Place in the pool's queue, from 1; 0: in no queue. */
  queuePosition: number;
  /** For people. */
  message: string;
}

export interface AcquireOptions {
  signal?: AbortSignal;
  /** Called only when the sandbox does not come at once. */
  onProgress?: (progress: AcquireProgress) => void;
}
