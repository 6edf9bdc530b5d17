import { BerthError } from '../errors.js';
import type { ResetReceipt } from '../sandbox/execution.js';
import type { PoolAlert } from './alerts.js';
import type { DestroyCause } from './destroy-cause.js';
import type { MissReason } from './outcome.js';
import { Ring } from './ring.js';
import type { PoolSettings } from './settings.js';

export type PoolState = 'warming' | 'ready' | 'degraded' | 'draining' | 'drained';

/** Why creations are held back. */
export interface BackoffReport {
  inARow: number;
  error: BerthError;
  /** Milliseconds since the epoch. */
  nextAttemptAt: number | undefined;
}

/** What changes a pool's size, state, settings or alerts. */
type ChangeBody =
  | { type: 'initialised'; available: number; tookMs: number }
  | { type: 'state_changed'; from: PoolState; to: PoolState; reason: string }
  | { type: 'resized'; settings: PoolSettings }
  | { type: 'sandbox_created'; sandboxId: string; containerId: string; tookMs: number }
  | { type: 'sandbox_destroyed'; sandboxId: string; cause: DestroyCause; message: string; uses: number }
  | { type: 'alert_raised' | 'alert_cleared'; alert: PoolAlert }
  | { type: 'create_failed'; backoff: BackoffReport }
  | { type: 'removed' };

/** What every execution brings about. */
type ExecutionBody =
  | {
      type: 'sandbox_acquired';
      sandboxId: string;
      acquireMs: number;
      missReason: MissReason | undefined;
    }
  | { type: 'sandbox_reset'; sandboxId: string; receipt: ResetReceipt }
  | { type: 'sandbox_returned'; sandboxId: string };

export type PoolEventBody = ChangeBody | ExecutionBody;

export interface PoolEvent {
  /** From 1 over the daemon's life. */
  seq: number;
  /** Milliseconds since the epoch. */
  time: number;
  poolId: string;
  body: PoolEventBody;
}

const KEPT_CHANGES = 2_000;
const KEPT_EXECUTIONS = 8_000;
/** Events handed out at once. */
const PAGE = 200;
/** How long the events of executions go on being kept after the last watcher that wanted them has left. */
const LINGER_MS = 5 * 60_000;

/**
 * What happens in the pools, for those who watch. Readers read from the history and are only woken from here: a slow one
 * has no buffer that could fill, and falls out of the history instead (HISTORY_GONE). Events of executions are kept only
 * while somebody wants them and for five minutes after, so that the hot path pays nothing otherwise; who resumes across a
 * time without them is told so, too.
 */
export class PoolEvents {
  readonly #changes = new Ring<PoolEvent>(KEPT_CHANGES);
  readonly #executions = new Ring<PoolEvent>(KEPT_EXECUTIONS);
  readonly #waiting = new Set<() => void>();
  #seq = 0;
  #executionWatchers = 0;
  #lingerTimer: NodeJS.Timeout | undefined;
  /** The events of executions up to here were not kept. */
  #executionsGoneUpTo = 0;
  #keepsExecutions = false;

  constructor(private readonly now: () => number = Date.now) {}

  /** Number of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  /** Whether events of executions are wanted; when not, there is no need to make them. */
  get wantsExecutions(): boolean {
    return this.#keepsExecutions;
  }

  emit(poolId: string, body: ChangeBody): void {
    this.#changes.push({ seq: ++this.#seq, time: this.now(), poolId, body });
    this.#wake();
  }

  emitExecution(poolId: string, body: ExecutionBody): void {
    this.#executions.push({ seq: ++this.#seq, time: this.now(), poolId, body });
    this.#wake();
  }

  close(): void {
    clearTimeout(this.#lingerTimer);
  }

  /** @throws BerthError HISTORY_GONE when events after `seq` are no longer kept, or it is of another life of the daemon */
  checkKept(seq: number, includeExecutions: boolean): void {
    if (seq > this.#seq)
      throw new BerthError(
        'HISTORY_GONE',
        `after_seq ${seq} is after the newest event, ${this.#seq}: it is of an earlier life of berthd; start again without it`,
        { metadata: { last_seq: String(this.#seq) } },
      );
    const goneUpTo = Math.max(
      this.#changes.droppedUpTo,
      includeExecutions ? Math.max(this.#executions.droppedUpTo, this.#executionsGoneUpTo) : 0,
    );
    if (seq >= goneUpTo) return;
    throw new BerthError(
      'HISTORY_GONE',
      `the pools' events after ${seq} are no longer kept; those after ${goneUpTo} are. Start again from the present`,
      { metadata: { first_seq: String(goneUpTo + 1) } },
    );
  }

  /** Some events after `seq`, in order; none: there is nothing new. */
  page(seq: number, includeExecutions: boolean): PoolEvent[] {
    const changes = this.#changes.after(seq, PAGE);
    if (!includeExecutions) return changes;
    const executions = this.#executions.after(seq, PAGE);
    return [...changes, ...executions].sort((a, b) => a.seq - b.seq).slice(0, PAGE);
  }

  /** Has the events of executions kept from now on. @returns a function that ends it, to be called once */
  keepExecutions(): () => void {
    this.#executionWatchers++;
    clearTimeout(this.#lingerTimer);
    if (!this.#keepsExecutions) {
      this.#keepsExecutions = true;
      this.#executionsGoneUpTo = this.#seq;
    }
    return () => {
      if (--this.#executionWatchers > 0) return;
      this.#lingerTimer = setTimeout(() => {
        this.#keepsExecutions = false;
        this.#executions.clear();
      }, LINGER_MS).unref();
    };
  }

  /** Resolves with the next event, or when the signal is aborted, or when the time is over. */
  news(signal: AbortSignal, withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = withinMs === undefined ? undefined : setTimeout(wake, withinMs);
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
