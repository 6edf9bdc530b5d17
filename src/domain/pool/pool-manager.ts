import type { Logger } from '../../telemetry/logger.js';
import { BerthError } from '../errors.js';
import type { ChannelLoss, SandboxEngine } from '../sandbox/engine.js';
import type { Languages } from '../sandbox/languages.js';
import type { SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxLimits, SandboxSpec } from '../sandbox/spec.js';
import { PoolEvents, type PoolEvent } from './events.js';
import { HostBudget, type Promised } from './host-budget.js';
import type { AcquireOptions, Lease } from './lease.js';
import { OneShots } from './one-shots.js';
import { Placement, type LocalLevel, type PoolRequest } from './placement.js';
import { PoolRegistry } from './pool-registry.js';
import { SandboxPool } from './pool.js';
import type { PoolSettings } from './settings.js';
import { SpecResolver, type SpecRequest } from './spec-resolver.js';
import { StandingPools } from './standing-pools.js';
import { watchPools, type Snapshot, type WatchOptions } from './watch.js';

export interface PoolManagerOptions {
  engine: SandboxEngine;
  factory: SandboxFactory;
  /** What serves while the engine is away; undefined: nothing does. `problem`: why this host cannot isolate; empty: it can. */
  local: { engine: SandboxEngine; factory: SandboxFactory; problem(): string } | undefined;
  languages: Languages;
  logger: Logger;
  /** Of a sandbox whose request names none. */
  limits: SandboxLimits;
  /** Of the standing pools; of others, as far as the request or the preset does not say otherwise. */
  settings: PoolSettings;
  /** What may be promised to sandboxes on this host. */
  budget: Promised;
  /** Off: every execution gets a container of its own. */
  pooling: boolean;
  acquireTimeoutMs: number;
  createTimeoutMs: number;
  parallelCreates: number;
}

const MAINTAIN_EVERY_MS = 1_000;

/**
 * Everything that gives sandboxes, and what an operator may do to it. The pool of the default spec of each language is made
 * at boot; others are made by the first request that needs them and go when they were idle long enough.
 */
export class PoolManager {
  readonly events = new PoolEvents();
  readonly budget: HostBudget;
  readonly #registry: PoolRegistry;
  readonly #specs: SpecResolver;
  readonly #oneShots: OneShots;
  readonly #local: LocalLevel | undefined;
  readonly #placement: Placement;
  readonly #standing: StandingPools;
  #timer: NodeJS.Timeout | undefined;
  #problem = '';
  /** Called when `problem` has changed; looked at about once a second. */
  onProblemChange: (() => void) | undefined;

  constructor(private readonly options: PoolManagerOptions) {
    const { engine, factory, local, languages, limits, settings, logger, pooling } = options;
    const { acquireTimeoutMs, createTimeoutMs, parallelCreates } = options;
    const budget = (this.budget = new HostBudget(options.budget));
    const specs = (this.#specs = new SpecResolver({ engine, languages, limits }));
    const making = { budget, logger, createTimeoutMs, parallelCreates };
    const registry = (this.#registry = new PoolRegistry(
      budget,
      (id, spec, ofPool) =>
        new SandboxPool({
          id,
          spec,
          settings: ofPool,
          factory,
          events: this.events,
          acquireTimeoutMs,
          ...making,
        }),
    ));
    const oneShots = (this.#oneShots = new OneShots({ servedBy: 'one_shot', factory, ...making }));
    this.#local = local && {
      oneShots: new OneShots({ servedBy: 'local', factory: local.factory, ...making }),
      specs: new SpecResolver({ engine: local.engine, languages, limits }),
      problem: () => local.problem(),
    };
    this.#placement = new Placement({
      registry,
      specs,
      oneShots,
      local: this.#local,
      pooling,
      settings,
      acquireTimeoutMs,
    });
    this.#standing = new StandingPools({ registry, specs, languages, limits, settings, logger });
    specs.onImageChanged = () => void this.start();
  }

  /** Whether there are pools at all. */
  get pooling(): boolean {
    return this.options.pooling;
  }

  /** Whether code runs even while the engine is away. */
  get hasLocal(): boolean {
    return this.#local?.problem() === '';
  }

  /** Settings where nothing else is said. */
  get settings(): PoolSettings {
    return this.options.settings;
  }

  /** Makes the standing pools that there are not yet; what is missing (an image, Docker) is tried again every few seconds. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.#maintain(), MAINTAIN_EVERY_MS).unref();
    if (this.options.pooling) await this.#standing.start();
  }

  /** Why code cannot be run for want of a sandbox, and what to do; empty when it can. */
  get problem(): string {
    const { problem } = this.#standing;
    if (problem === undefined) return '';
    const servedOtherwise = problem.reason === 'DOCKER_UNAVAILABLE' ? this.hasLocal : this.#oneShots.works;
    return servedOtherwise ? '' : problem.message;
  }

  /** What somebody should look at while code runs all the same; empty: nothing. */
  get warning(): string {
    const troubles = this.pools().flatMap((pool) =>
      pool.alerts().map(({ message }) => `${pool.id}: ${message}`),
    );
    return troubles.join('; ');
  }

  /** Oldest first. */
  pools(): SandboxPool[] {
    return this.#registry.all();
  }

  /** @throws BerthError POOL_NOT_FOUND. An empty id means the oldest pool. */
  get(id: string): SandboxPool {
    return this.#registry.get(id);
  }

  /** A sandbox for a request, from wherever it can be had. @throws BerthError */
  acquire(request: PoolRequest, options: AcquireOptions): Promise<Lease> {
    return this.#placement.acquire(request, options);
  }

  /** The spec that a request describes. */
  specOf(request: SpecRequest, signal?: AbortSignal): Promise<SandboxSpec> {
    return this.#specs.resolve(request, signal);
  }

  /** The standing pool of a spec, made with these settings when there is none. */
  poolFor(spec: SandboxSpec, settings: PoolSettings): SandboxPool {
    const { pool } = this.#registry.of(spec, settings);
    this.#registry.keep(pool);
    return pool;
  }

  /** Drains a pool within the time and, when asked to, removes it. Resolves to the number of executions that were ended. */
  async drain(pool: SandboxPool, timeoutMs: number, remove: boolean): Promise<number> {
    // It stays as it is until somebody brings it back.
    this.#registry.keep(pool);
    const ended = await pool.drain(timeoutMs);
    if (remove) await this.#registry.remove(pool);
    return ended;
  }

  /** Replaces a sandbox; resolves to its pool when it is gone. @throws BerthError SANDBOX_NOT_FOUND */
  async recycle(sandboxId: string, force: boolean): Promise<SandboxPool> {
    const pool = this.#registry.holding(sandboxId);
    if (pool === undefined)
      throw new BerthError('SANDBOX_NOT_FOUND', `no pool has a sandbox ${sandboxId}; see GetPool`, {
        resource: { type: 'sandbox', name: sandboxId },
      });
    await pool.recycle(sandboxId, force);
    return pool;
  }

  watch(options: WatchOptions): AsyncGenerator<PoolEvent | Snapshot> {
    if (options.poolId !== '') this.get(options.poolId);
    return watchPools(this.events, () => this.pools(), options);
  }

  /** Whether a container with this sandbox id is one of ours. */
  knows(sandboxId: string): boolean {
    return this.#oneShots.has(sandboxId) || this.#registry.holding(sandboxId) !== undefined;
  }

  /** The engine says that the container of a sandbox has died. */
  containerDied(sandboxId: string, loss: ChannelLoss): void {
    this.#oneShots.containerDied(sandboxId);
    this.#registry.holding(sandboxId)?.containerDied(sandboxId, loss);
  }

  /** Resolves when every sandbox is gone; leased ones go when their executions release them. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.events.close();
    await Promise.all([this.#registry.close(), this.#oneShots.close(), this.#local?.oneShots.close()]);
  }

  #maintain(): void {
    const { problem } = this;
    if (problem !== this.#problem) {
      this.#problem = problem;
      this.onProblemChange?.();
    }
    this.#specs.refresh();
    this.#standing.retry();
    this.#registry.maintain(Date.now());
  }
}
