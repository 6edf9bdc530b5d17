import type { Creations } from './creations.js';
import type { DestroyCause } from './destroy-cause.js';
import type { HostBudget } from './host-budget.js';
import type { PoolLifecycle } from './lifecycle.js';
import { budgetUsed } from './refusals.js';
import type { PoolSettings } from './settings.js';
import { sizingSteps, type SizingStep } from './sizing.js';
import type { SlotLife } from './slot-life.js';
import type { SlotTable } from './slot-table.js';
import type { Turnover } from './turnover.js';
import type { WaitingQueue } from './waiting-queue.js';
import type { WarmTarget } from './warm-target.js';
import type { WarmWaiters } from './warm-waiters.js';

/**
 * Serves those who wait, in order, and then brings the number of sandboxes to what is wanted. The only place that does
 * either; to be run after every change. Runs to its end without an await, so nobody sees it half done.
 */
export class Reconciler {
  #blocked = false;
  #isDue = false;

  constructor(
    private readonly pool: {
      settings: () => PoolSettings;
      lifecycle: PoolLifecycle;
      slots: SlotTable;
      life: SlotLife;
      queue: WaitingQueue;
      warmTarget: WarmTarget;
      turnover: Turnover;
      warmWaiters: WarmWaiters;
      creations: Creations;
      budget: HostBudget;
      parallelCreates: number;
    },
  ) {}

  /** It would grow, and the budget does not let it. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** After what is going on now: growing behind a caller's back must not delay it. */
  soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.run();
    });
  }

  /** `surplusCause`: why what is too much goes. */
  run(surplusCause: DestroyCause = 'idle'): void {
    const { lifecycle, slots, queue, warmTarget, warmWaiters, budget } = this.pool;
    if (lifecycle.phase !== 'open') return;
    this.#serveWaiters();
    this.#resize(surplusCause);
    const creating = slots.count('creating');
    queue.tellPositions(creating);
    if (this.#blocked && creating === 0 && slots.count('warm') < warmTarget.count)
      warmWaiters.fail(budgetUsed(budget));
    // With no room and nothing in the making, more will not come.
    warmWaiters.reached(slots.count('warm'), slots.size >= this.pool.settings().max && creating === 0);
  }

  /** The pool wants nothing more from the budget. */
  withdraw(): void {
    this.#blocked = false;
    this.pool.creations.withdraw();
  }

  #serveWaiters(): void {
    const { slots, queue, life } = this.pool;
    if (queue.length === 0 || slots.available === 0) return;
    for (const waiter of queue) {
      const ready = slots.readyFor(waiter.tenant);
      if (ready !== undefined)
        waiter.grant(life.lend(ready, waiter.tenant, waiter.startedAt, waiter.missReason));
      if (slots.available === 0) return;
    }
  }

  #resize(surplusCause: DestroyCause): void {
    const { slots, queue, creations, parallelCreates } = this.pool;
    const wasBlocked = this.#blocked;
    this.#blocked = false;
    const steps = sizingSteps(
      {
        creating: slots.count('creating'),
        warm: slots.count('warm'),
        kept: slots.count('kept'),
        destroying: slots.count('destroying'),
        size: slots.size,
        max: this.pool.settings().max,
        warmTarget: this.pool.warmTarget.count,
        waiting: queue.length,
        ahead: this.pool.turnover.ahead,
        parallelCreates,
        holdsBack: creations.backoff.holdsBack,
      },
      surplusCause,
    );
    for (const step of steps) {
      if (step.type === 'destroy') this.#destroy(step);
      else this.#create(step.count);
    }
    if (wasBlocked && !this.#blocked) creations.withdraw();
  }

  #destroy({ which, count, cause }: SizingStep & { type: 'destroy' }): void {
    const { slots, life } = this.pool;
    for (let left = count; left > 0; left--) {
      const slot = which === 'oldest_kept' ? slots.oldestKept() : slots.oldestWarm();
      if (slot !== undefined) life.destroy(slot, cause);
    }
  }

  #create(count: number): void {
    const { slots, queue, creations } = this.pool;
    for (let left = count; left > 0; left--) {
      const room = this.pool.settings().max - slots.size;
      const needed = Math.max(0, Math.min(room, queue.length - slots.count('creating')));
      this.#blocked = !creations.begin(needed);
      if (this.#blocked) return;
    }
  }
}
