import type { Logger } from '../../telemetry/logger.js';
import { BerthError } from '../errors.js';
import type { ChannelLoss } from '../sandbox/engine.js';
import type { SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { Acquisition, type PoolAcquireOptions } from './acquisition.js';
import { PoolAlerts, type PoolAlert } from './alerts.js';
import type { CreationBackoff } from './creation-backoff.js';
import { costOf, Creations } from './creations.js';
import { Departures } from './departures.js';
import { EndOfLife } from './end-of-life.js';
import type { PoolEvents, PoolState } from './events.js';
import { HealthRounds } from './health-rounds.js';
import type { HostBudget, Promised } from './host-budget.js';
import { PoolLifecycle } from './lifecycle.js';
import type { MissReason } from './outcome.js';
import type { PoolLease } from './pool-lease.js';
import { PoolReport } from './pool-report.js';
import type { SandboxReset } from './recent-resets.js';
import { Reconciler } from './reconciler.js';
import { isDraining, shuttingDown } from './refusals.js';
import { Removals } from './removals.js';
import { overdue } from './retention.js';
import { settingsProblem, type PoolSettings } from './settings.js';
import { SlotLife } from './slot-life.js';
import { SlotTable } from './slot-table.js';
import type { Slot, SlotState } from './slot.js';
import type { PoolCounters } from './stats.js';
import { Turnover } from './turnover.js';
import { WaitingQueue } from './waiting-queue.js';
import { WarmTarget } from './warm-target.js';
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

/**
 * The warm sandboxes of one spec. Everything happens on one thread between awaits, and every change ends in the reconciler,
 * which serves waiters in order and then grows or shrinks to what is wanted.
 *
 * Invariants: slots never exceed `settings.max`, containers that are being created and removed included; a sandbox serves one
 * tenant in its life; `initial` counts sandboxes that no tenant has had; a leased sandbox is touched by nobody but its lease.
 * This class is what others see of a pool, and puts its parts together: `acquisition.ts` answers who wants a sandbox,
 * `sizing.ts` decides how many there are and `reconciler.ts` sees to it, `slot-life.ts` is what befalls each sandbox,
 * `end-of-life.ts` how they go when somebody asks for it.
 */
export class SandboxPool {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly createdAt: number;
  readonly #lifecycle = new PoolLifecycle();
  readonly #slots = new SlotTable();
  readonly #queue = new WaitingQueue(() => this.#reconciler.run());
  readonly #warmWaiters = new WarmWaiters();
  readonly #report: PoolReport;
  readonly #creations: Creations;
  readonly #life: SlotLife;
  readonly #warmTarget: WarmTarget;
  readonly #turnover: Turnover;
  readonly #reconciler: Reconciler;
  readonly #acquisition: Acquisition;
  readonly #end: EndOfLife;
  readonly #health: HealthRounds;
  readonly #alerts: PoolAlerts;
  #settings: PoolSettings;
  readonly #now: () => number;

  constructor(private readonly options: PoolOptions) {
    const { id, spec, budget, factory, createTimeoutMs, parallelCreates, logger } = options;
    this.id = id;
    this.spec = spec;
    this.#settings = options.settings;
    const now = (this.#now = options.now ?? Date.now);
    this.createdAt = now();
    const log = logger.child({ pool: id });
    const settings = (): PoolSettings => this.#settings;
    const report = (this.#report = new PoolReport(id, log, options.events, now));
    const departures = new Departures();
    const removals = new Removals(budget, log);
    const warmTarget = (this.#warmTarget = new WarmTarget(settings, now));
    const turnover = (this.#turnover = new Turnover());
    const shared = { lifecycle: this.#lifecycle, slots: this.#slots, settings };
    const life = (this.#life = new SlotLife({
      ...shared,
      id,
      isolation: spec.isolation,
      cost: costOf(spec),
      removals,
      departures,
      turnover,
      report,
      now,
      listener: {
        created: () => this.#created(),
        creationFailed: (sandboxId, error) => this.#creationFailed(sandboxId, error),
        released: () => this.#warmTarget.released(),
        changed: () => this.#reconciler.run(),
      },
    }));
    const creations = (this.#creations = new Creations({
      spec,
      factory,
      budget,
      createTimeoutMs,
      now,
      listener: {
        begun: (sandboxId, abort) => life.begun(sandboxId, abort),
        created: (sandboxId, sandbox, tookMs) => life.created(sandboxId, sandbox, tookMs),
        failed: (sandboxId, error) => life.failed(sandboxId, error),
        retry: () => this.#reconciler.run(),
      },
    }));
    const serving = { ...shared, life, queue: this.#queue, warmTarget, turnover, creations, budget };
    const reconciler = (this.#reconciler = new Reconciler({
      ...serving,
      warmWaiters: this.#warmWaiters,
      parallelCreates,
    }));
    this.#acquisition = new Acquisition({
      ...serving,
      id,
      reconciler,
      counters: report.counters,
      acquireTimeoutMs: options.acquireTimeoutMs,
    });
    this.#end = new EndOfLife({
      ...shared,
      poolId: id,
      life,
      removals,
      departures,
      pool: {
        refuseAll: (toWaiters, toWarmers) => this.#refuseAll(toWaiters, toWarmers),
        noteState: (reason) => this.#noteState(reason),
        judge: () => this.alerts(),
      },
    });
    this.#health = new HealthRounds({
      slots: this.#slots,
      report,
      log,
      now,
      unhealthy: (slot, health) => {
        life.destroy(slot, 'unhealthy', health.message);
        reconciler.run();
      },
    });
    this.#alerts = new PoolAlerts({
      raised: (alert) => report.alert('alert_raised', alert),
      cleared: (alert) => report.alert('alert_cleared', alert),
    });
    reconciler.run();
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
    return this.#warmTarget.lastUsedAt;
  }

  /** What the budget promises for one sandbox. */
  get cost(): Promised {
    return this.#creations.cost;
  }

  get state(): PoolState {
    const { phase } = this.#lifecycle;
    if (phase === 'draining' || phase === 'drained') return phase;
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
    if (this.#lifecycle.phase !== 'open') return this.#alerts.evaluate(undefined);
    const oldest = this.#queue.oldest;
    return this.#alerts.evaluate({
      now: this.#now(),
      recent: this.#report.recent,
      available: this.available,
      total: this.size,
      max: this.#settings.max,
      longestWaitMs: oldest === undefined ? 0 : performance.now() - oldest,
      backoff: this.backoff,
      budgetUsed: this.#reconciler.blocked ? this.options.budget.describe() : undefined,
    });
  }

  /** A sandbox that is ready for this tenant, at once; undefined: there is none. `startedAt`: by `performance.now()`. */
  tryAcquire(tenant: string, startedAt: number, missReason?: MissReason): PoolLease | undefined {
    return this.#acquisition.tryAcquire(tenant, startedAt, missReason);
  }

  /**
   * A sandbox for one execution of `tenant`: one kept for it, else a warm one, else it waits its turn while the pool grows.
   * @throws CannotServe; BerthError POOL_EXHAUSTED or HOST_BUDGET (waited `timeoutMs`, or there will never be so much),
   * CANCELLED, SHUTTING_DOWN
   */
  acquire(tenant: string, options: PoolAcquireOptions = {}): Promise<PoolLease> {
    return this.#acquisition.acquire(tenant, options);
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
    this.#warmTarget.aim(settings.initial);
    this.#report.resized(settings);
    this.#reconciler.run('shrunk');
  }

  /**
   * Resolves when `target` warm sandboxes (at most `max`) exist; brings a drained pool back.
   * @throws BerthError the creation's error when one fails, HOST_BUDGET, POOL_DRAINING, SHUTTING_DOWN, CANCELLED
   */
  async warm(target: number, signal?: AbortSignal): Promise<void> {
    if (this.#lifecycle.phase === 'closed') throw shuttingDown();
    if (this.#lifecycle.phase === 'draining') throw isDraining(this.id, false).error;
    this.#lifecycle.apply({ type: 'warm' });
    this.options.budget.check(this.cost);
    this.#warmTarget.aim(target);
    await this.#warmWaiters.wait(this.#warmTarget.count, signal, () => {
      this.retryNow();
      this.#noteState('it was asked to warm up');
    });
  }

  /** What kept sandboxes from being made may be over: tries again at once. */
  retryNow(): void {
    this.#creations.backoff.forgive();
    this.#reconciler.run();
  }

  /** To be called about once a second: keeps ages, idle time and kept sandboxes within their limits, checks and judges. */
  maintain(): void {
    if (this.#lifecycle.phase === 'closed') return;
    const now = this.#now();
    if (this.#slots.count('leased') === 0 && this.#warmTarget.relax()) this.#turnover.ceased();
    for (const slot of this.#slots.all().values()) {
      const cause = overdue(slot, this.#settings, now);
      if (cause !== undefined) this.#life.destroy(slot, cause);
    }
    this.#reconciler.run();
    this.#health.tick(this.#settings.healthIntervalMs);
    this.alerts();
  }

  /** Gives the place of the sandbox that was kept longest to another pool. False: there is none. */
  giveUpKept(): boolean {
    const slot = this.#slots.oldestKept();
    if (slot !== undefined) this.#life.destroy(slot, 'other_tenant', 'the host budget is used up');
    return slot !== undefined;
  }

  /** Gives the place of a warm sandbox beyond the minimum to another pool. False: there is none. */
  giveUpWarm(): boolean {
    const slot = this.#slots.oldestWarm();
    if (slot === undefined || this.size - this.#slots.count('destroying') <= this.#settings.min) return false;
    this.#life.destroy(slot, 'idle', 'the host budget is used up');
    return true;
  }

  /** The engine says that the container of a sandbox has died. */
  containerDied(sandboxId: string, loss: ChannelLoss): void {
    this.#life.containerDied(sandboxId, loss);
  }

  /** Destroys a sandbox and replaces it; resolves when it is gone. `force`: ends what runs in it, else waits for its end. */
  recycle(sandboxId: string, force: boolean): Promise<void> {
    return this.#end.recycle(sandboxId, force);
  }

  /** As EndOfLife.drain: resolves to the number of executions that were ended. */
  drain(timeoutMs: number): Promise<number> {
    return this.#end.drain(timeoutMs);
  }

  /** Takes no more requests, removes idle sandboxes at once and leased ones when they are released; resolves when all are gone. */
  async close(): Promise<void> {
    const closing = this.#end.close();
    this.#report.removed();
    await closing;
  }

  #refuseAll(toWaiters: unknown, toWarmers: BerthError): void {
    this.#creations.backoff.forgive();
    this.#reconciler.withdraw();
    this.#queue.failAll(toWaiters);
    this.#warmWaiters.fail(toWarmers);
  }

  #created(): void {
    this.#reconciler.run();
    this.#noteInitialised();
    this.#noteState('a sandbox was created');
  }

  #creationFailed(id: string, error: BerthError): void {
    const { backoff } = this.#creations;
    backoff.failed(error);
    this.#report.createFailed(id, error, backoff);
    this.#noteState(error.message);
    this.#warmWaiters.fail(error);
    this.#acquisition.creationFailed(error);
  }

  #noteInitialised(): void {
    const isReady = this.available >= this.#settings.initial || this.#slots.count('creating') === 0;
    if (this.#report.isInitialised || !isReady) return;
    this.#report.initialised(this.spec, this.#settings, this.available, this.#now() - this.createdAt);
  }

  #noteState(reason: string): void {
    this.#report.state(this.state, reason);
  }
}
