import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import type { ChannelLoss } from '../sandbox/engine.js';
import type { AnySandbox, SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { PoolAlerts, type PoolAlert } from './alerts.js';
import { CannotServe } from './cannot-serve.js';
import type { CreationBackoff } from './creation-backoff.js';
import { Creations } from './creations.js';
import { Departures } from './departures.js';
import type { DestroyCause } from './destroy-cause.js';
import type { PoolEvents, PoolState } from './events.js';
import { HealthRounds } from './health-rounds.js';
import type { HostBudget, Promised } from './host-budget.js';
import type { AcquireOptions } from './lease.js';
import { missReasonOf } from './miss-reason.js';
import type { MissReason } from './outcome.js';
import { PoolLease } from './pool-lease.js';
import { PoolReport } from './pool-report.js';
import { failedReceipt, type SandboxReset } from './recent-resets.js';
import { budgetUsed, exhausted, isDraining, shuttingDown } from './refusals.js';
import { Removals } from './removals.js';
import { overdue, spent } from './retention.js';
import { settingsProblem, type PoolSettings } from './settings.js';
import { SlotTable } from './slot-table.js';
import type { ReadySlot, Slot, SlotState } from './slot.js';
import type { PoolCounters } from './stats.js';
import { Turnover } from './turnover.js';
import { WaitingQueue } from './waiting-queue.js';
import { WarmWaiters } from './warm-waiters.js';

export interface PoolOptions {
  id: string;
  spec: SandboxSpec;
  settings: PoolSettings;
  factory: SandboxFactory;
  budget: HostBudget;
  events: PoolEvents;
  logger: Logger;
  acquireTimeoutMs: number;
  createTimeoutMs: number;
  parallelCreates: number;
  now?: () => number;
}

export interface PoolAcquireOptions extends AcquireOptions {
  timeoutMs?: number;
  /** Why this is no hit whatever the pool has. */
  missReason?: MissReason;
  /** Of the request, by `performance.now()`; default: now. */
  startedAt?: number;
  /** Wait for a sandbox to come back even while none can be created, instead of CannotServe. */
  patient?: boolean;
}

/** Time that the holder of a revoked lease gets before its sandbox is removed under it. Milliseconds. */
const REVOKE_GRACE_MS = 5_000;

/**
 * The warm sandboxes of one spec. Everything happens on one thread between awaits, and every change ends in `#pump`,
 * which serves waiters in order and then grows or shrinks to what is wanted.
 *
 * Invariants: slots never exceed `settings.max`, containers that are being created and removed included; a sandbox serves one
 * tenant in its life; `initial` counts sandboxes that no tenant has had; a leased sandbox is touched by nobody but its lease.
 * Waiting, creating, removing, checking and judging are in files of their own; this one decides.
 */
export class SandboxPool {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly createdAt: number;
  readonly #slots = new SlotTable();
  readonly #queue = new WaitingQueue(() => this.#pump());
  readonly #report: PoolReport;
  readonly #creations: Creations;
  readonly #removals: Removals;
  readonly #health: HealthRounds;
  readonly #alerts: PoolAlerts;
  readonly #warmWaiters = new WarmWaiters();
  /** Sandboxes to be replaced as soon as they come back. */
  readonly #recycling = new Set<string>();
  readonly #departures = new Departures();
  readonly #turnover = new Turnover();
  #settings: PoolSettings;
  #warmTarget: number;
  #lastUsedAt: number;
  #lifecycle: 'open' | 'draining' | 'drained' | 'closed' = 'open';
  #drain: Promise<number> | undefined;
  /** It would grow, and the budget does not let it. */
  #blocked = false;
  #pumpIsDue = false;
  readonly #now: () => number;

  constructor(private readonly options: PoolOptions) {
    const { id, spec, settings, budget, factory, createTimeoutMs, logger } = options;
    this.id = id;
    this.spec = spec;
    this.#settings = settings;
    this.#warmTarget = settings.initial;
    const now = (this.#now = options.now ?? Date.now);
    this.createdAt = now();
    this.#lastUsedAt = this.createdAt;
    const log = logger.child({ pool: id });
    this.#report = new PoolReport(id, log, options.events, now);
    this.#creations = new Creations({
      spec,
      factory,
      budget,
      createTimeoutMs,
      now,
      listener: {
        begun: (sandboxId, abort) =>
          this.#slots.set({ state: 'creating', id: sandboxId, createdAt: now(), abort }),
        created: (sandboxId, sandbox, tookMs) => this.#created(sandboxId, sandbox, tookMs),
        failed: (sandboxId, error) => this.#notCreated(sandboxId, error),
        retry: () => this.#pump(),
      },
    });
    this.#removals = new Removals(budget, log);
    this.#health = new HealthRounds({
      slots: this.#slots,
      report: this.#report,
      log,
      now,
      unhealthy: (slot, health) => {
        this.#destroy(slot, 'unhealthy', health.message);
        this.#pump();
      },
    });
    this.#alerts = new PoolAlerts({
      raised: (alert) => this.#report.alert('alert_raised', alert),
      cleared: (alert) => this.#report.alert('alert_cleared', alert),
    });
    this.#pump();
  }

  get counters(): PoolCounters {
    return this.#report.counters;
  }

  /** The newest resets, newest first. */
  get recentResets(): SandboxReset[] {
    return this.#report.resets.newestFirst();
  }

  get settings(): PoolSettings {
    return this.#settings;
  }

  /** What holds creations back after failures. */
  get backoff(): Pick<CreationBackoff, 'lastError' | 'inARow' | 'nextAttemptAt'> {
    return this.#creations.backoff;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Milliseconds since the epoch. */
  get lastUsedAt(): number {
    return this.#lastUsedAt;
  }

  /** What the budget promises for one sandbox. */
  get cost(): Promised {
    return this.#creations.cost;
  }

  get state(): PoolState {
    if (this.#lifecycle === 'draining' || this.#lifecycle === 'drained') return this.#lifecycle;
    if (this.backoff.lastError !== undefined) return 'degraded';
    return !this.#report.isInitialised && this.#slots.count('creating') > 0 ? 'warming' : 'ready';
  }

  get size(): number {
    return this.#slots.size;
  }

  slots(): ReadonlyMap<string, Slot> {
    return this.#slots.all();
  }

  count(state: SlotState): number {
    return this.#slots.count(state);
  }

  /** Ready for somebody. */
  get available(): number {
    return this.#slots.available;
  }

  /** The conditions that hold now. */
  alerts(): PoolAlert[] {
    if (this.#lifecycle !== 'open') return this.#alerts.evaluate(undefined);
    const oldest = this.#queue.oldest;
    return this.#alerts.evaluate({
      now: this.#now(),
      recent: this.#report.recent,
      available: this.available,
      total: this.size,
      max: this.#settings.max,
      longestWaitMs: oldest === undefined ? 0 : performance.now() - oldest,
      backoff: this.backoff,
      budgetUsed: this.#blocked ? this.options.budget.describe() : undefined,
    });
  }

  /** A sandbox that is ready for this tenant, at once; undefined: there is none. `startedAt`: by `performance.now()`. */
  tryAcquire(tenant: string, startedAt: number, missReason?: MissReason): PoolLease | undefined {
    if (this.#lifecycle !== 'open') return undefined;
    this.#used();
    const slot = this.#slots.readyFor(tenant);
    // A warm one belongs to whoever waits longest.
    if (slot === undefined || (slot.state === 'warm' && this.#queue.length > 0)) return undefined;
    const lease = this.#lease(slot, tenant, startedAt, missReason);
    // Growing behind the caller's back must not delay it.
    this.#pumpSoon();
    return lease;
  }

  /**
   * A sandbox for one execution of `tenant`: one kept for it, else a warm one, else it waits its turn while the pool grows.
   * @throws CannotServe; BerthError POOL_EXHAUSTED or HOST_BUDGET (waited `timeoutMs`, or there will never be so much),
   * CANCELLED, SHUTTING_DOWN
   */
  async acquire(tenant: string, options: PoolAcquireOptions = {}): Promise<PoolLease> {
    const startedAt = options.startedAt ?? performance.now();
    if (this.#lifecycle === 'closed') throw shuttingDown();
    if (this.#lifecycle !== 'open') throw this.#draining();
    const ready = this.tryAcquire(tenant, startedAt, options.missReason);
    if (ready !== undefined) return ready;
    this.options.budget.check(this.cost);
    if (this.size >= this.#settings.max && this.#slots.count('kept') > 0)
      this.#turnover.waited(this.#settings.initial);
    const { signal, onProgress, patient = false } = options;
    const timeoutMs = options.timeoutMs ?? this.options.acquireTimeoutMs;
    const { lease, waiter } = this.#queue.wait({
      tenant,
      missReason: options.missReason ?? missReasonOf(this.#slots, this.#settings.max, this.counters.hits > 0),
      startedAt,
      patient,
      timeoutMs: Math.max(0, timeoutMs - (performance.now() - startedAt)),
      signal,
      onProgress,
      onTimeout: () => {
        this.counters.acquireTimeouts++;
        return this.#exhausted(timeoutMs);
      },
    });
    this.#pump();
    if (this.#blocked && options.missReason === undefined && waiter.missReason !== 'at_maximum')
      waiter.missReason = 'host_budget';
    const { lastError, holdsBack } = this.#creations.backoff;
    if (holdsBack && lastError !== undefined && !(patient && this.#hasLiving()))
      waiter.fail(new CannotServe('create_failed', lastError));
    return lease;
  }

  /** A request that this pool did not serve. */
  noteMiss(reason: MissReason): void {
    this.counters.misses[reason]++;
  }

  /** Changes the settings; the pool grows or shrinks towards them at once, never touching a leased sandbox. */
  resize(settings: PoolSettings): void {
    const problem = settingsProblem(settings);
    if (problem !== undefined)
      throw new BerthError('INVALID_ARGUMENT', `${problem.key} ${problem.rule}`, {
        violations: [{ field: problem.key, rule: problem.rule }],
      });
    this.#settings = settings;
    this.#warmTarget = settings.initial;
    this.#lastUsedAt = this.#now();
    this.#report.resized(settings);
    this.#pump('shrunk');
  }

  /**
   * Resolves when `target` warm sandboxes (at most `max`) exist; brings a drained pool back.
   * @throws BerthError the creation's error when one fails, HOST_BUDGET, POOL_DRAINING, CANCELLED
   */
  async warm(target: number, signal?: AbortSignal): Promise<void> {
    if (this.#lifecycle === 'draining') throw this.#draining().error;
    if (this.#lifecycle === 'drained') this.#lifecycle = 'open';
    this.options.budget.check(this.cost);
    this.#lastUsedAt = this.#now();
    this.#warmTarget = Math.min(Math.max(target, this.#settings.initial), this.#settings.max);
    await this.#warmWaiters.wait(this.#warmTarget, signal, () => {
      this.retryNow();
      this.#noteState('it was asked to warm up');
    });
  }

  /** What kept sandboxes from being made may be over: tries again at once. */
  retryNow(): void {
    this.#creations.backoff.forgive();
    this.#pump();
  }

  /** To be called about once a second: keeps ages, idle time and kept sandboxes within their limits, checks and judges. */
  maintain(): void {
    if (this.#lifecycle === 'closed') return;
    const now = this.#now();
    if (now - this.#lastUsedAt >= this.#settings.idleTimeoutMs && this.#slots.count('leased') === 0)
      this.#warmTarget = this.#settings.min;
    for (const slot of this.#slots.all().values()) {
      const cause = overdue(slot, this.#settings, now);
      if (cause !== undefined) this.#destroy(slot, cause);
    }
    this.#pump();
    this.#health.tick(this.#settings.healthIntervalMs);
    this.alerts();
  }

  /** Gives the place of the sandbox that was kept longest to another pool. False: there is none. */
  giveUpKept(): boolean {
    const slot = this.#slots.oldestKept();
    if (slot !== undefined) this.#destroy(slot, 'other_tenant', 'the host budget is used up');
    return slot !== undefined;
  }

  /** Gives the place of a warm sandbox beyond the minimum to another pool. False: there is none. */
  giveUpWarm(): boolean {
    const slot = this.#slots.oldestWarm();
    if (slot === undefined || this.size - this.#slots.count('destroying') <= this.#settings.min) return false;
    this.#destroy(slot, 'idle', 'the host budget is used up');
    return true;
  }

  /** The engine says that the container of a sandbox has died. */
  containerDied(sandboxId: string, loss: ChannelLoss): void {
    const slot = this.#slots.get(sandboxId);
    if (slot === undefined || slot.state === 'creating' || slot.state === 'destroying') return;
    // Who runs something in it learns why from the channel, which knows more.
    if (slot.state === 'leased') slot.sandbox.containerDied(loss);
    else this.#lost(slot.sandbox, loss.message);
  }

  /** Destroys a sandbox and replaces it; resolves when it is gone. `force`: ends what runs in it, else waits for its end. */
  async recycle(sandboxId: string, force: boolean): Promise<void> {
    const slot = this.#slots.get(sandboxId);
    if (slot === undefined) return;
    const gone = this.#departures.ofOne(sandboxId);
    if (slot.state !== 'destroying') this.#recycling.add(sandboxId);
    if (slot.state === 'creating') slot.abort.abort(new BerthError('CANCELLED', 'the sandbox was recycled'));
    else if (slot.state === 'warm' || slot.state === 'kept') this.#destroy(slot, 'recycled');
    else if (slot.state === 'leased' && force) this.#revoke(slot);
    await gone;
  }

  /**
   * Lets what runs finish within the time, then ends it; gives out nothing more and destroys all. Resolves to the number of
   * executions that were ended. A second call joins the first.
   */
  drain(timeoutMs: number): Promise<number> {
    if (this.#lifecycle === 'drained') return Promise.resolve(0);
    this.#drain ??= this.#drainWithin(timeoutMs).finally(() => (this.#drain = undefined));
    return this.#drain;
  }

  /** Takes no more requests, removes idle sandboxes at once and leased ones when they are released; resolves when all are gone. */
  async close(): Promise<void> {
    this.#lifecycle = 'closed';
    this.#removals.stop();
    this.#endIdle('shutdown', shuttingDown(), shuttingDown());
    this.#report.removed();
    if (this.size > 0) await this.#departures.ofAll();
  }

  /** Resets a used sandbox and keeps it for its tenant, or destroys it. Called by the lease. */
  takeBack(lease: PoolLease): void {
    this.#lastUsedAt = this.#now();
    this.counters.executions++;
    this.counters.executionMs.add(performance.now() - lease.startedAt);
    const slot = this.#slots.get(lease.sandbox.id);
    if (slot?.state !== 'leased') return;
    const cause = this.#unwanted(slot.id) ?? spent(slot, this.spec.isolation, this.#settings, this.#now());
    if (cause === undefined) return void this.#reset(slot);
    this.#destroy(slot, cause);
    this.#pump();
  }

  async #reset({ id, sandbox, tenant, createdAt }: Slot & { state: 'leased' }): Promise<void> {
    const resetting: Slot = { state: 'resetting', id, sandbox, tenant, createdAt, since: this.#now() };
    this.#slots.set(resetting);
    const receipt = await sandbox
      .reset(this.#settings.resetTimeoutMs)
      // A receipt that says ok is of the reset before.
      .catch((error: unknown) =>
        sandbox.receipt?.ok === false ? sandbox.receipt : failedReceipt(messageOf(error)),
      );
    // Its container died meanwhile: that is no failure of the reset.
    if (this.#slots.get(id) !== resetting) return;
    this.#report.reset(id, receipt);
    const cause = receipt.ok
      ? (this.#unwanted(id) ?? spent(resetting, this.spec.isolation, this.#settings, this.#now()))
      : 'reset_failed';
    if (cause !== undefined) this.#destroy(resetting, cause, receipt.error);
    else {
      this.#slots.set({ state: 'kept', id, sandbox, tenant, createdAt, since: this.#now() });
      this.#report.returned(id, tenant);
    }
    this.#pump();
  }

  /** Why a sandbox that comes back is not wanted, whatever its own state. */
  #unwanted(id: string): DestroyCause | undefined {
    if (this.#lifecycle === 'closed') return 'shutdown';
    if (this.#recycling.has(id)) return 'recycled';
    const tooMany = this.size - this.#slots.count('destroying') > this.#settings.max;
    return this.#lifecycle !== 'open' || tooMany ? 'shrunk' : undefined;
  }

  #used(): void {
    this.#lastUsedAt = this.#now();
    if (this.#warmTarget < this.#settings.initial) this.#warmTarget = this.#settings.initial;
  }

  #lease(
    { id, sandbox, createdAt, state }: ReadySlot,
    tenant: string,
    startedAt: number,
    miss: MissReason | undefined,
  ): PoolLease {
    if (state === 'kept') this.#turnover.returned();
    const waitMs = performance.now() - startedAt;
    const now = this.#now();
    const lease = new PoolLease(this, sandbox, tenant, miss, '', startedAt, waitMs);
    this.#slots.set({ state: 'leased', id, sandbox, tenant, createdAt, since: now, lease });
    this.#report.acquired(lease, now);
    return lease;
  }

  #exhausted(timeoutMs: number): BerthError {
    const waited = `no sandbox became free within ${timeoutMs} ms`;
    if (this.#blocked) return budgetUsed(this.options.budget, `${waited}, and `);
    const inUse = this.#slots.count('leased') + this.#slots.count('resetting');
    const { lastError } = this.backoff;
    return exhausted({ id: this.id, inUse, max: this.#settings.max, lastError }, waited);
  }

  #pumpSoon(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    setImmediate(() => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  /**
   * Serves waiters in order, then brings the number of sandboxes to what is wanted. The only place that decides either.
   * `surplusCause`: why what is too much goes.
   */
  #pump(surplusCause: DestroyCause = 'idle'): void {
    if (this.#lifecycle !== 'open') return;
    this.#serveWaiters();
    this.#makeRoom();
    this.#shrink(surplusCause);
    this.#grow();
    const creating = this.#slots.count('creating');
    this.#queue.tellPositions(creating);
    if (this.#blocked && creating === 0 && this.#slots.count('warm') < this.#warmTarget)
      this.#warmWaiters.fail(budgetUsed(this.options.budget));
    // With no room and nothing in the making, more will not come.
    this.#warmWaiters.reached(this.#slots.count('warm'), this.size >= this.#settings.max && creating === 0);
  }

  #serveWaiters(): void {
    if (this.#queue.length === 0 || this.available === 0) return;
    for (const waiter of this.#queue) {
      const ready = this.#slots.readyFor(waiter.tenant);
      if (ready !== undefined)
        waiter.grant(this.#lease(ready, waiter.tenant, waiter.startedAt, waiter.missReason));
      if (this.available === 0) return;
    }
  }

  /** At the maximum with tenants waiting, or soon to wait, the sandboxes kept longest for others go first. */
  #makeRoom(): void {
    const coming = this.#slots.count('creating') + this.#slots.count('destroying');
    const room = Math.max(0, this.#settings.max - this.size);
    // While nothing can be created, nothing is given up for it ahead of need.
    const ahead = this.#creations.backoff.holdsBack ? 0 : Math.min(this.#turnover.ahead, this.#warmTarget);
    const wanted = this.#queue.length + Math.max(0, ahead - this.#slots.count('warm'));
    for (let lacking = wanted - coming - room; lacking > 0; lacking--) {
      const slot = this.#slots.oldestKept();
      if (slot === undefined) return;
      this.#destroy(slot, 'other_tenant');
    }
  }

  #shrink(cause: DestroyCause): void {
    let idle =
      this.#slots.count('warm') + this.#slots.count('creating') - this.#warmTarget - this.#queue.length;
    let over = this.size - this.#slots.count('destroying') - this.#settings.max;
    for (; idle > 0 || over > 0; idle--, over--) {
      const slot = this.#slots.oldestWarm() ?? (over > 0 ? this.#slots.oldestKept() : undefined);
      if (slot === undefined) return;
      this.#destroy(slot, over > 0 ? 'shrunk' : cause);
    }
  }

  #grow(): void {
    const wasBlocked = this.#blocked;
    this.#blocked = false;
    while (!this.#creations.backoff.holdsBack) {
      const creating = this.#slots.count('creating');
      const wanted = this.#warmTarget + this.#queue.length - this.#slots.count('warm') - creating;
      const room = this.#settings.max - this.size;
      if (wanted <= 0 || room <= 0 || creating >= this.options.parallelCreates) break;
      this.#blocked = !this.#creations.begin(Math.max(0, Math.min(room, this.#queue.length - creating)));
      if (this.#blocked) break;
    }
    if (wasBlocked && !this.#blocked) this.#creations.withdraw();
  }

  #created(id: string, sandbox: AnySandbox, tookMs: number): void {
    const slot: Slot = { state: 'warm', id, createdAt: this.#now(), sandbox };
    this.#slots.set(slot);
    this.#report.created(sandbox, tookMs);
    if (sandbox.lost) this.#lost(sandbox, 'it died at once');
    else sandbox.onLost = (loss) => this.#lost(sandbox, loss.message);
    const unwanted = this.#unwanted(id);
    if (unwanted !== undefined) this.#destroy(slot, unwanted);
    this.#pump();
    this.#noteInitialised();
    this.#noteState('a sandbox was created');
  }

  #notCreated(id: string, error: BerthError): void {
    this.#slots.delete(id);
    if (this.#recycling.has(id) || this.#lifecycle !== 'open')
      this.#report.createAborted(id, this.#unwanted(id) ?? 'shrunk');
    else this.#creationFailed(id, error);
    this.#left(id);
  }

  #creationFailed(id: string, error: BerthError): void {
    const { backoff } = this.#creations;
    backoff.failed(error);
    this.#report.createFailed(id, error, backoff);
    this.#noteState(error.message);
    this.#warmWaiters.fail(error);
    // Those who can do nothing else go on waiting while a sandbox may come back; the others learn why at once.
    const hasLiving = this.#hasLiving();
    for (const waiter of this.#queue)
      if (!waiter.patient || !hasLiving) waiter.fail(new CannotServe('create_failed', error));
  }

  /** Whether a sandbox may become free without one being created anew. */
  #hasLiving(): boolean {
    return this.#slots.count('leased') + this.#slots.count('resetting') + this.#slots.count('creating') > 0;
  }

  #lost(sandbox: AnySandbox, why: string): void {
    this.counters.lost++;
    const slot = this.#slots.get(sandbox.id);
    // A leased one is destroyed when its execution, which was told as well, releases it.
    if (slot === undefined || slot.state === 'leased') return;
    this.#destroy(slot, 'died', why);
    this.#pump();
  }

  #destroy(slot: Slot, cause: DestroyCause, message = ''): void {
    if (slot.state === 'creating' || slot.state === 'destroying') return;
    const { id, sandbox, createdAt } = slot;
    sandbox.onLost = undefined;
    this.#slots.set({ state: 'destroying', id, createdAt, sandbox, cause });
    this.#report.destroyed(sandbox, cause, message);
    void this.#removals.remove(sandbox, this.cost).then(() => {
      this.#slots.delete(id);
      this.counters.destroyed++;
      this.#left(id);
    });
  }

  #noteInitialised(): void {
    const isReady = this.available >= this.#settings.initial || this.#slots.count('creating') === 0;
    if (this.#report.isInitialised || !isReady) return;
    this.#report.initialised(this.spec, this.#settings, this.available, this.#now() - this.createdAt);
  }

  #noteState(reason: string): void {
    this.#report.state(this.state, reason);
  }

  #draining(): CannotServe {
    return isDraining(this.id, this.#lifecycle === 'drained');
  }

  async #drainWithin(timeoutMs: number): Promise<number> {
    this.#lifecycle = 'draining';
    const why = this.#draining();
    this.#noteState('it was asked to drain');
    this.#endIdle('shrunk', why, why.error);
    let ended = 0;
    const timer = setTimeout(() => {
      for (const slot of this.#slots.all().values())
        if (slot.state === 'leased' && this.#revoke(slot)) ended++;
    }, timeoutMs);
    if (this.size > 0) await this.#departures.ofAll();
    clearTimeout(timer);
    // The daemon may have begun to stop meanwhile.
    if (this.#lifecycle === 'draining') this.#lifecycle = 'drained';
    this.#noteState('it is empty');
    this.alerts();
    return ended;
  }

  /** Ends waiting, creating and keeping; what is leased or being reset goes when it comes back. */
  #endIdle(cause: DestroyCause, toWaiters: unknown, toWarmers: BerthError): void {
    this.#creations.backoff.forgive();
    this.#blocked = false;
    this.#creations.withdraw();
    this.#queue.failAll(toWaiters);
    this.#warmWaiters.fail(toWarmers);
    for (const slot of [...this.#slots.all().values()]) {
      if (slot.state === 'creating') slot.abort.abort(toWarmers);
      else if (slot.state === 'warm' || slot.state === 'kept') this.#destroy(slot, cause);
    }
  }

  /** Takes a sandbox away from its execution. False when it was taken already. */
  #revoke(slot: Slot & { state: 'leased' }): boolean {
    if (!slot.lease.revoke()) return false;
    setTimeout(() => {
      // Its holder does not let go of it: without a container, it learns that it is lost.
      if (this.#slots.get(slot.id) === slot) void slot.sandbox.destroy().catch(() => undefined);
    }, REVOKE_GRACE_MS).unref();
    return true;
  }

  /** A sandbox is gone, or never came to be. */
  #left(id: string): void {
    this.#recycling.delete(id);
    this.#pump();
    this.#departures.left(id, this.size);
  }
}
