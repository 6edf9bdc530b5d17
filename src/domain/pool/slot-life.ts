import { messageOf, type BerthError } from '../errors.js';
import type { ChannelLoss } from '../sandbox/engine.js';
import type { AnySandbox } from '../sandbox/sandbox.js';
import type { Isolation } from '../sandbox/spec.js';
import type { CreationListener } from './creations.js';
import type { Departures } from './departures.js';
import type { DestroyCause } from './destroy-cause.js';
import type { Promised } from './host-budget.js';
import type { PoolLifecycle } from './lifecycle.js';
import type { MissReason } from './outcome.js';
import { PoolLease } from './pool-lease.js';
import type { PoolReport } from './pool-report.js';
import { failedReceipt } from './recent-resets.js';
import { RecentTenants } from './recent-tenants.js';
import type { Removals } from './removals.js';
import { spent } from './retention.js';
import type { PoolSettings } from './settings.js';
import type { SlotTable } from './slot-table.js';
import type { ReadySlot, Slot } from './slot.js';
import type { Turnover } from './turnover.js';

/** Of the tenants that are remembered: whoever comes back after so many others would seldom find its own again anyway. */
const TENANTS_A_PLACE = 2;

/** Nothing is wrong with it, and nothing runs in it: its place is all that is wanted. */
const MAKING_ROOM: ReadonlySet<DestroyCause> = new Set([
  'idle',
  'max_age',
  'max_uses',
  'other_tenant',
  'single_use',
]);

/** What the pool learns of its sandboxes. */
export interface SlotLifeListener {
  /** One is there, and is ready if it is wanted. */
  created(): void;
  /** One that was wanted could not be created; its slot is gone. */
  creationFailed(id: string, error: BerthError): void;
  /** An execution has released one. */
  released(): void;
  /** There is more or less than before. */
  changed(): void;
}

/**
 * What befalls each sandbox of one pool, from creation to removal: every change of a slot's state is made here. Invariants: a
 * sandbox goes to a second execution only through a reset that says ok, and only of the tenant of the first; the container
 * of a slot that is `destroying` is removed once; a slot leaves the table when its container is gone.
 */
export class SlotLife implements Omit<CreationListener, 'retry'> {
  /** Of the pool. */
  readonly id: string;
  /** Sandboxes to be replaced as soon as they come back. */
  readonly #recycling = new Set<string>();
  readonly #tenants = new RecentTenants(() => this.pool.settings().max * TENANTS_A_PLACE);

  constructor(
    private readonly pool: {
      id: string;
      isolation: Isolation;
      settings: () => PoolSettings;
      /** What the budget promises for one sandbox. */
      cost: Promised;
      lifecycle: PoolLifecycle;
      slots: SlotTable;
      removals: Removals;
      departures: Departures;
      turnover: Turnover;
      report: PoolReport;
      now: () => number;
      listener: SlotLifeListener;
    },
  ) {
    this.id = pool.id;
  }

  begun(id: string, abort: AbortController): void {
    const { slots, now } = this.pool;
    slots.set({ state: 'creating', id, createdAt: now(), abort });
  }

  created(id: string, sandbox: AnySandbox, tookMs: number): void {
    const { slots, report, listener, now } = this.pool;
    const slot: Slot = { state: 'warm', id, createdAt: now(), sandbox };
    slots.set(slot);
    report.created(sandbox, tookMs);
    if (sandbox.lost) this.#lost(sandbox, 'it died at once');
    else sandbox.onLost = (loss) => this.#lost(sandbox, loss.message);
    const unwanted = this.#unwanted(id);
    // One that died at once is being removed already.
    if (unwanted !== undefined && !sandbox.lost) this.destroy(slot, unwanted);
    listener.created();
  }

  failed(id: string, error: BerthError): void {
    const { slots, lifecycle, report, listener } = this.pool;
    slots.delete(id);
    if (this.#recycling.has(id) || lifecycle.phase !== 'open')
      report.createAborted(id, this.#unwanted(id) ?? 'shrunk');
    else listener.creationFailed(id, error);
    this.#left(id);
  }

  /** Gives a ready sandbox to an execution. `startedAt`: of the request, by `performance.now()`. */
  lend(
    { id, sandbox, createdAt, state }: ReadySlot,
    tenant: string,
    startedAt: number,
    miss: MissReason | undefined,
  ): PoolLease {
    const { slots, report, turnover } = this.pool;
    const comesBack = this.#tenants.note(tenant);
    if (state === 'kept' && comesBack) turnover.returned();
    const waitMs = performance.now() - startedAt;
    const now = this.pool.now();
    const lease = new PoolLease(this, sandbox, tenant, miss, '', startedAt, waitMs);
    slots.set({ state: 'leased', id, sandbox, tenant, comesBack, createdAt, since: now, lease });
    report.acquired(lease, now);
    return lease;
  }

  /** Resets a used sandbox and keeps it for its tenant, or destroys it. Called by the lease. */
  takeBack(lease: PoolLease): void {
    const { slots, report, listener } = this.pool;
    listener.released();
    report.counters.executions++;
    report.counters.executionMs.add(performance.now() - lease.startedAt);
    const slot = slots.get(lease.sandbox.id);
    if (slot?.state !== 'leased') return;
    const cause = this.#endOf(slot) ?? (this.#passesThrough(slot) ? 'other_tenant' : undefined);
    if (cause === undefined) return void this.#reset(slot);
    this.destroy(slot, cause);
    listener.changed();
  }

  /** Removes what is ready, in use or being reset; what is not there yet, or is being removed, is left alone. */
  destroy(slot: Slot, cause: DestroyCause, message = ''): void {
    if (slot.state === 'creating' || slot.state === 'destroying') return;
    const { slots, report, removals } = this.pool;
    const { id, sandbox, createdAt } = slot;
    sandbox.onLost = undefined;
    slots.set({ state: 'destroying', id, createdAt, sandbox, cause });
    report.destroyed(sandbox, cause, message);
    const haste = MAKING_ROOM.has(cause) ? 'when_quiet' : 'now';
    void removals.remove(sandbox, this.pool.cost, haste).then(() => {
      slots.delete(id);
      report.counters.destroyed++;
      this.#left(id);
    });
  }

  /** Whatever comes of this sandbox, it is not used again. */
  replace(id: string): void {
    this.#recycling.add(id);
  }

  /** The engine says that the container of a sandbox has died. */
  containerDied(id: string, loss: ChannelLoss): void {
    const slot = this.pool.slots.get(id);
    if (slot === undefined || slot.state === 'creating' || slot.state === 'destroying') return;
    // Who runs something in it learns why from the channel, which knows more.
    if (slot.state === 'leased') slot.sandbox.containerDied();
    else this.#lost(slot.sandbox, loss.message);
  }

  async #reset(leased: Slot & { state: 'leased' }): Promise<void> {
    const { slots, report, listener, now } = this.pool;
    const { id, sandbox, tenant, createdAt } = leased;
    const resetting = { state: 'resetting', id, sandbox, tenant, createdAt, since: now() } as const;
    slots.set(resetting);
    const receipt = await sandbox
      .reset(this.pool.settings().resetTimeoutMs)
      // A receipt that says ok is of the reset before.
      .catch((error: unknown) =>
        sandbox.receipt?.ok === false ? sandbox.receipt : failedReceipt(messageOf(error)),
      );
    // Its container died meanwhile: that is no failure of the reset.
    if (slots.get(id) !== resetting) return;
    report.reset(id, receipt);
    const cause = receipt.ok ? this.#endOf(resetting) : 'reset_failed';
    if (cause !== undefined) this.destroy(resetting, cause, receipt.error);
    else {
      slots.set({ state: 'kept', id, sandbox, tenant, createdAt, since: now() });
      report.returned(id, tenant);
    }
    listener.changed();
  }

  /** Why a sandbox that has been used is not used again; undefined: it is. */
  #endOf(slot: Slot & { state: 'leased' | 'resetting' }): DestroyCause | undefined {
    const { isolation, now } = this.pool;
    return this.#unwanted(slot.id) ?? spent(slot, isolation, this.pool.settings(), now());
  }

  /**
   * Whether its place is worth more than the sandbox: one tenant follows the other, the pool does not keep up, and this one was
   * not here before. The reset would be in the way of who waits, for a sandbox that goes to make room before it is used again.
   */
  #passesThrough({ comesBack }: Slot & { state: 'leased' }): boolean {
    const { slots, turnover } = this.pool;
    return !comesBack && turnover.isSteady && slots.count('warm') < this.pool.settings().initial;
  }

  /** Why a sandbox that comes is not wanted, whatever its own state. */
  #unwanted(id: string): DestroyCause | undefined {
    const { lifecycle, slots } = this.pool;
    if (lifecycle.phase === 'closed') return 'shutdown';
    if (this.#recycling.has(id)) return 'recycled';
    const tooMany = slots.size - slots.count('destroying') > this.pool.settings().max;
    return lifecycle.phase !== 'open' || tooMany ? 'shrunk' : undefined;
  }

  #lost(sandbox: AnySandbox, why: string): void {
    const { slots, report, listener } = this.pool;
    report.counters.lost++;
    const slot = slots.get(sandbox.id);
    // A leased one is destroyed when its execution, which was told as well, releases it.
    if (slot === undefined || slot.state === 'leased') return;
    this.destroy(slot, 'died', why);
    listener.changed();
  }

  /** A sandbox is gone, or never came to be. */
  #left(id: string): void {
    const { slots, departures, listener } = this.pool;
    this.#recycling.delete(id);
    listener.changed();
    departures.left(id, slots.size);
  }
}
