import { BerthError } from '../errors.js';
import type { AcquireProgress } from './lease.js';
import type { MissReason } from './outcome.js';
import type { PoolLease } from './pool-lease.js';

/** A request that waits for a sandbox. */
export interface Waiter {
  readonly tenant: string;
  missReason: MissReason;
  /** Of the request, by `performance.now()`. */
  readonly startedAt: number;
  /** It waits for a sandbox to come back even while none can be created. */
  readonly patient: boolean;
  grant(lease: PoolLease): void;
  fail(error: unknown): void;
}

export interface WaitOptions {
  tenant: string;
  missReason: MissReason;
  startedAt: number;
  patient: boolean;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  onProgress: ((progress: AcquireProgress) => void) | undefined;
  /** What to say when the time is over. */
  onTimeout: () => BerthError;
}

/**
 * The requests that wait for a sandbox of one pool, in the order in which they came. Invariants: a waiter owns nothing until
 * it is granted, and leaves the queue in the same instant in which it is granted, fails, gives up or runs out of time; so
 * one that goes away leaves no hole, and the queue is never longer than the number of calls that wait.
 */
export class WaitingQueue {
  readonly #waiters = new Set<Waiter>();
  /** Those who want to know their place, with the place they were told. */
  readonly #told = new Map<Waiter, { position: number; tell: (progress: AcquireProgress) => void }>();

  constructor(
    /** Called when a waiter has left without a sandbox. */
    private readonly left: () => void,
  ) {}

  get length(): number {
    return this.#waiters.size;
  }

  /** In order; the queue may change while it is walked. */
  [Symbol.iterator](): IterableIterator<Waiter> {
    return this.#waiters.values();
  }

  /** When the first of them asked, by `performance.now()`. */
  get oldest(): number | undefined {
    return this.#waiters.values().next().value?.startedAt;
  }

  /** The lease resolves, or rejects with what `fail` was given, what `onTimeout` says, or the signal's reason. */
  wait(options: WaitOptions): { lease: Promise<PoolLease>; waiter: Waiter } {
    const { tenant, missReason, startedAt, patient, signal, onProgress } = options;
    let waiter!: Waiter;
    const lease = new Promise<PoolLease>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiters.delete(waiter);
        this.#told.delete(waiter);
      };
      const giveUp = (error: unknown): void => {
        waiter.fail(error);
        this.left();
      };
      waiter = {
        tenant,
        missReason,
        startedAt,
        patient,
        grant: (lease) => {
          settle();
          resolve(lease);
        },
        fail: (error) => {
          settle();
          reject(error as Error);
        },
      };
      const cancel = (): void => giveUp(reasonOf(signal));
      const timer = setTimeout(() => giveUp(options.onTimeout()), options.timeoutMs);
      if (signal?.aborted === true) return waiter.fail(reasonOf(signal));
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiters.add(waiter);
      if (onProgress !== undefined) this.#told.set(waiter, { position: 0, tell: onProgress });
    });
    return { lease, waiter };
  }

  failAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.fail(error);
  }

  /** Tells those who want to know it where they stand, when that has changed. `creating`: sandboxes in the making. */
  tellPositions(creating: number): void {
    if (this.#told.size === 0) return;
    let position = 0;
    for (const waiter of this.#waiters) {
      position++;
      const told = this.#told.get(waiter);
      if (told === undefined || told.position === position) continue;
      told.position = position;
      told.tell(place(position, position <= creating));
    }
  }
}

function place(queuePosition: number, isBeingCreated: boolean): AcquireProgress {
  return isBeingCreated
    ? { phase: 'creating_sandbox', queuePosition, message: 'its sandbox is being created' }
    : { phase: 'waiting_for_sandbox', queuePosition, message: `number ${queuePosition} of those who wait` };
}

/** Why a signal was aborted, as an error of Berth. */
export function reasonOf(signal: AbortSignal | undefined): BerthError {
  const reason: unknown = signal?.reason;
  return reason instanceof BerthError
    ? reason
    : new BerthError('CANCELLED', 'the caller cancelled while waiting for a sandbox');
}
