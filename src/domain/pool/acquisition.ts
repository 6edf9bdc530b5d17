import type { BerthError } from '../errors.js';
import { CannotServe } from './cannot-serve.js';
import type { Creations } from './creations.js';
import type { HostBudget } from './host-budget.js';
import type { AcquireOptions } from './lease.js';
import type { PoolLifecycle } from './lifecycle.js';
import { missReasonOf } from './miss-reason.js';
import type { MissReason } from './outcome.js';
import type { PoolLease } from './pool-lease.js';
import type { Reconciler } from './reconciler.js';
import { budgetUsed, exhausted, isDraining, shuttingDown } from './refusals.js';
import type { PoolSettings } from './settings.js';
import type { SlotLife } from './slot-life.js';
import type { SlotTable } from './slot-table.js';
import type { PoolCounters } from './stats.js';
import type { Turnover } from './turnover.js';
import type { WaitingQueue } from './waiting-queue.js';
import type { WarmTarget } from './warm-target.js';

export interface PoolAcquireOptions extends AcquireOptions {
  timeoutMs?: number;
  /** Why this is no hit whatever the pool has. */
  missReason?: MissReason;
  /** Of the request, by `performance.now()`; default: now. */
  startedAt?: number;
  /** Wait for a sandbox to come back even while none can be created, instead of CannotServe. */
  patient?: boolean;
}

/**
 * Answers those who ask one pool for a sandbox: with one that is ready, with a place in the queue, or with the reason why
 * there is none. Invariants: what is ready is given without an await and without work for the pool before it; a warm sandbox
 * never goes past somebody who waits.
 */
export class Acquisition {
  constructor(
    private readonly pool: {
      id: string;
      settings: () => PoolSettings;
      lifecycle: PoolLifecycle;
      slots: SlotTable;
      life: SlotLife;
      queue: WaitingQueue;
      creations: Creations;
      reconciler: Reconciler;
      warmTarget: WarmTarget;
      turnover: Turnover;
      counters: PoolCounters;
      budget: HostBudget;
      /** Of a request that names none. */
      acquireTimeoutMs: number;
    },
  ) {}

  /** A sandbox that is ready for this tenant, at once; undefined: there is none. `startedAt`: by `performance.now()`. */
  tryAcquire(tenant: string, startedAt: number, missReason?: MissReason): PoolLease | undefined {
    const { lifecycle, slots, life, queue, reconciler, warmTarget } = this.pool;
    if (lifecycle.phase !== 'open') return undefined;
    warmTarget.used();
    const slot = slots.readyFor(tenant);
    // A warm one belongs to whoever waits longest.
    if (slot === undefined || (slot.state === 'warm' && queue.length > 0)) return undefined;
    const lease = life.lend(slot, tenant, startedAt, missReason);
    reconciler.soon();
    return lease;
  }

  /** As SandboxPool.acquire. */
  async acquire(tenant: string, options: PoolAcquireOptions): Promise<PoolLease> {
    const { slots, queue, creations, reconciler, turnover, counters, budget } = this.pool;
    const { initial, max } = this.pool.settings();
    const startedAt = options.startedAt ?? performance.now();
    this.#refuseUnlessOpen();
    const ready = this.tryAcquire(tenant, startedAt, options.missReason);
    if (ready !== undefined) return ready;
    budget.check(creations.cost);
    if (slots.size >= max && slots.count('kept') > 0) turnover.waited(initial, max);
    const { signal, onProgress, patient = false } = options;
    const timeoutMs = options.timeoutMs ?? this.pool.acquireTimeoutMs;
    const { lease, waiter } = queue.wait({
      tenant,
      missReason: options.missReason ?? missReasonOf(slots, max, counters.hits > 0),
      startedAt,
      patient,
      timeoutMs: Math.max(0, timeoutMs - (performance.now() - startedAt)),
      signal,
      onProgress,
      onTimeout: () => {
        counters.acquireTimeouts++;
        return this.#exhausted(timeoutMs);
      },
    });
    reconciler.run();
    if (reconciler.blocked && options.missReason === undefined && waiter.missReason !== 'at_maximum')
      waiter.missReason = 'host_budget';
    const { lastError, holdsBack } = creations.backoff;
    if (holdsBack && lastError !== undefined && !(patient && this.#hasLiving()))
      waiter.fail(new CannotServe('create_failed', lastError));
    return lease;
  }

  /**
   * A sandbox could not be created. Those who can do nothing else go on waiting while one may come back; the others learn
   * why at once.
   */
  creationFailed(error: BerthError): void {
    const hasLiving = this.#hasLiving();
    for (const waiter of this.pool.queue)
      if (!waiter.patient || !hasLiving) waiter.fail(new CannotServe('create_failed', error));
  }

  /** @throws CannotServe; BerthError SHUTTING_DOWN */
  #refuseUnlessOpen(): void {
    const { id, lifecycle } = this.pool;
    if (lifecycle.phase === 'closed') throw shuttingDown();
    if (lifecycle.phase !== 'open') throw isDraining(id, lifecycle.phase === 'drained');
  }

  /** Whether a sandbox may become free without one being created anew. */
  #hasLiving(): boolean {
    const { slots } = this.pool;
    return slots.count('leased') + slots.count('resetting') + slots.count('creating') > 0;
  }

  #exhausted(timeoutMs: number): BerthError {
    const { id, slots, creations, reconciler, budget } = this.pool;
    const waited = `no sandbox became free within ${timeoutMs} ms`;
    if (reconciler.blocked) return budgetUsed(budget, `${waited}, and `);
    const inUse = slots.count('leased') + slots.count('resetting');
    const { lastError } = creations.backoff;
    return exhausted({ id, inUse, max: this.pool.settings().max, lastError }, waited);
  }
}
