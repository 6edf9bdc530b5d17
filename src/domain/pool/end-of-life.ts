import { deferred } from '../../lib/deferred.js';
import { BerthError } from '../errors.js';
import type { Departures } from './departures.js';
import type { DestroyCause } from './destroy-cause.js';
import type { PoolLifecycle } from './lifecycle.js';
import { isDraining, shuttingDown } from './refusals.js';
import type { Removals } from './removals.js';
import type { SlotLife } from './slot-life.js';
import type { SlotTable } from './slot-table.js';
import type { Slot } from './slot.js';

/** Time that the holder of a revoked lease gets before its sandbox is removed under it. Milliseconds. */
const REVOKE_GRACE_MS = 5_000;

/** What ending asks of a pool. */
export interface EndingPool {
  /** Refuses all who wait, and makes nothing more. */
  refuseAll(toWaiters: unknown, toWarmers: BerthError): void;
  noteState(reason: string): void;
  /** Clears the alerts of a pool that serves nothing. */
  judge(): void;
}

/**
 * How sandboxes of one pool, and the pool itself, come to an end because somebody asked for it: recycle, drain, close.
 * Invariants: what is idle goes at once, what an execution has goes when that releases it or, when its time is over, is
 * taken away from it; each of the three resolves only when the containers are gone.
 */
export class EndOfLife {
  constructor(
    private readonly options: {
      poolId: string;
      lifecycle: PoolLifecycle;
      slots: SlotTable;
      life: SlotLife;
      removals: Removals;
      departures: Departures;
      pool: EndingPool;
    },
  ) {}

  /** Destroys a sandbox and replaces it; resolves when it is gone. `force`: ends what runs in it, else waits for its end. */
  async recycle(sandboxId: string, force: boolean): Promise<void> {
    const { slots, life, departures } = this.options;
    const slot = slots.get(sandboxId);
    if (slot === undefined) return;
    const gone = departures.ofOne(sandboxId);
    if (slot.state !== 'destroying') life.replace(sandboxId);
    if (slot.state === 'creating') slot.abort.abort(new BerthError('CANCELLED', 'the sandbox was recycled'));
    else if (slot.state === 'warm' || slot.state === 'kept') life.destroy(slot, 'recycled');
    else if (slot.state === 'leased' && force) this.#revoke(slot);
    await gone;
  }

  /**
   * Lets what runs finish within the time, then ends it; gives out nothing more and destroys all. Resolves to the number of
   * executions that were ended. A second call joins the first.
   */
  drain(timeoutMs: number): Promise<number> {
    const { lifecycle } = this.options;
    const { now } = lifecycle;
    if (now.phase === 'draining') return now.ended;
    if (now.phase === 'drained') return Promise.resolve(0);
    const ended = deferred<number>();
    lifecycle.apply({ type: 'drain', ended: ended.promise });
    void this.#emptyWithin(timeoutMs).then(ended.resolve, ended.reject);
    return ended.promise;
  }

  /** Takes no more requests, removes idle sandboxes at once and leased ones when they are released; resolves when all are gone. */
  async close(): Promise<void> {
    const { lifecycle, removals } = this.options;
    lifecycle.apply({ type: 'close' });
    removals.stop();
    this.#endIdle('shutdown', shuttingDown(), shuttingDown());
    await this.#empty();
  }

  async #emptyWithin(timeoutMs: number): Promise<number> {
    const { poolId, lifecycle, slots, pool } = this.options;
    const why = isDraining(poolId, false);
    pool.noteState('it was asked to drain');
    this.#endIdle('shrunk', why, why.error);
    let ended = 0;
    const timer = setTimeout(() => {
      for (const slot of slots.all().values()) if (slot.state === 'leased' && this.#revoke(slot)) ended++;
    }, timeoutMs);
    await this.#empty();
    clearTimeout(timer);
    lifecycle.apply({ type: 'emptied' });
    pool.noteState('it is empty');
    pool.judge();
    return ended;
  }

  /** Ends waiting, creating and keeping; what is leased or being reset goes when it comes back. */
  #endIdle(cause: DestroyCause, toWaiters: unknown, toWarmers: BerthError): void {
    const { slots, life, pool } = this.options;
    pool.refuseAll(toWaiters, toWarmers);
    for (const slot of [...slots.all().values()]) {
      if (slot.state === 'creating') slot.abort.abort(toWarmers);
      else if (slot.state === 'warm' || slot.state === 'kept') life.destroy(slot, cause);
    }
  }

  async #empty(): Promise<void> {
    const { slots, departures } = this.options;
    if (slots.size > 0) await departures.ofAll();
  }

  /** Takes a sandbox away from its execution. False when it was taken already. */
  #revoke(slot: Slot & { state: 'leased' }): boolean {
    const { slots } = this.options;
    if (!slot.lease.revoke()) return false;
    setTimeout(() => {
      // Its holder does not let go of it: without a container, it learns that it is lost.
      if (slots.get(slot.id) === slot) void slot.sandbox.destroy().catch(() => undefined);
    }, REVOKE_GRACE_MS).unref();
    return true;
  }
}
