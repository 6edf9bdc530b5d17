import { BerthError } from '../errors.js';
import type { ExecutionRequest } from '../sandbox/execution.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { CannotServe } from './cannot-serve.js';
import type { AcquireOptions, Lease } from './lease.js';
import type { OneShots } from './one-shots.js';
import type { MissReason } from './outcome.js';
import { checkFits } from './pool-fit.js';
import type { PoolRegistry } from './pool-registry.js';
import type { SandboxPool } from './pool.js';
import { isPreset, POOL_PRESETS, type PoolSettings } from './settings.js';
import type { SpecRequest, SpecResolver } from './spec-resolver.js';

/** What `acquire` reads of an execution request. */
export type PoolRequest = SpecRequest &
  Pick<
    ExecutionRequest,
    'tenant' | 'acquireTimeoutMs' | 'poolId' | 'poolPreset' | 'ownContainer' | 'degrade'
  >;

/** Sandboxes without a container engine. */
export interface LocalLevel {
  oneShots: OneShots;
  specs: SpecResolver;
  /** Why this host cannot isolate, and what to do; empty: it can. */
  problem(): string;
}

export interface PlacementOptions {
  registry: PoolRegistry;
  specs: SpecResolver;
  oneShots: OneShots;
  /** Without an engine; undefined: there is no such thing on this host. */
  local: LocalLevel | undefined;
  /** Off: everything is served by one-shot containers. */
  pooling: boolean;
  /** Of a pool that a request brings about without naming a preset. */
  settings: PoolSettings;
  acquireTimeoutMs: number;
}

/** One request on its way through the levels. */
interface Attempt {
  request: PoolRequest;
  options: AcquireOptions;
  /** By `performance.now()`. */
  startedAt: number;
  timeoutMs: number;
}

/**
 * Decides what serves a request: a pool; where the pool cannot create (a full one waits), a container made for the request;
 * where the engine is away, the local engine. A level that the request forbids is passed over, and then the error is that of
 * the level before. Every lease says which level it was, and why.
 */
export class Placement {
  constructor(private readonly options: PlacementOptions) {}

  /** @throws BerthError */
  acquire(request: PoolRequest, options: AcquireOptions): Promise<Lease> {
    const startedAt = performance.now();
    const { registry, specs, pooling } = this.options;
    // The hot path: what is known and ready is given without waiting for anything.
    if (pooling && request.poolId === '' && !request.ownContainer) {
      const spec = specs.known(request);
      const lease =
        spec === undefined ? undefined : registry.find(spec)?.tryAcquire(request.tenant, startedAt);
      if (lease !== undefined) return Promise.resolve(lease);
    }
    const timeoutMs = request.acquireTimeoutMs > 0 ? request.acquireTimeoutMs : this.options.acquireTimeoutMs;
    return this.#acquire({ request, options, startedAt, timeoutMs });
  }

  async #acquire(attempt: Attempt): Promise<Lease> {
    const { request } = attempt;
    try {
      if (request.ownContainer)
        return await this.#oneShot(attempt, 'own_container', 'the request insists on a container of its own');
      if (!this.options.pooling) return await this.#oneShot(attempt, 'disabled', 'pools are switched off');
      return await this.#fromPool(attempt);
    } catch (error) {
      const known = error instanceof CannotServe ? error.error : error;
      if (!(known instanceof BerthError) || known.reason !== 'DOCKER_UNAVAILABLE') throw known;
      return this.#local(attempt, known);
    }
  }

  async #fromPool(attempt: Attempt): Promise<Lease> {
    const { request, options, startedAt, timeoutMs } = attempt;
    const { pool, made } = await this.#poolFor(request, options.signal);
    const { forbidOneShot } = request.degrade;
    const acquire = (patient: boolean): Promise<Lease> =>
      pool.acquire(request.tenant, {
        ...options,
        startedAt,
        timeoutMs,
        patient,
        ...(made && { missReason: 'new_pool' as const }),
      });
    try {
      return await acquire(forbidOneShot);
    } catch (error) {
      if (!(error instanceof CannotServe) || forbidOneShot) throw error;
      if (error.error.reason === 'DOCKER_UNAVAILABLE') throw error;
      try {
        const lease = await this.#oneShot(attempt, error.missReason, error.error.message, pool.spec);
        pool.noteMiss(error.missReason);
        // Where one was made, the pool may make some as well.
        if (error.missReason === 'create_failed') pool.retryNow();
        return lease;
      } catch (failure) {
        // Nothing can be made at all; what is in use may still come back.
        const mayComeBack = pool.state !== 'drained' && pool.count('leased') + pool.count('resetting') > 0;
        const isFinal = !(failure instanceof BerthError) || FINAL.has(failure.reason);
        if (isFinal || !mayComeBack || error.missReason === 'draining') throw failure;
        return await acquire(true);
      }
    }
  }

  async #poolFor(
    request: PoolRequest,
    signal: AbortSignal | undefined,
  ): Promise<{ pool: SandboxPool; made: boolean }> {
    const { registry, specs } = this.options;
    if (request.poolId !== '') {
      const pool = registry.get(request.poolId);
      checkFits(request, pool.spec);
      return { pool, made: false };
    }
    return registry.of(await specs.resolve(request, signal), this.#settingsFor(request));
  }

  /** Of a pool that this request brings about. Unless it names a preset, the pool keeps nothing that is not used. */
  #settingsFor({ poolPreset, isolation }: PoolRequest): PoolSettings {
    const { settings } = this.options;
    if (isPreset(poolPreset)) return { ...settings, ...POOL_PRESETS[poolPreset] };
    // Each execution of single_use takes a warm one away, so that there have to be some.
    return { ...settings, min: 0, initial: isolation === 'single_use' ? settings.initial : 0 };
  }

  async #oneShot(
    attempt: Attempt,
    missReason: MissReason,
    servedReason: string,
    spec?: SandboxSpec,
  ): Promise<Lease> {
    const { request, options } = attempt;
    if (request.degrade.forbidOneShot)
      throw new BerthError(
        'POOL_DISABLED',
        `${servedReason}, and degrade.forbid_one_shot rules out a container made for the request`,
      );
    return this.options.oneShots.acquire({
      ...this.#remaining(attempt),
      spec: spec ?? (await this.options.specs.resolve(request, options.signal)),
      missReason,
      servedReason,
    });
  }

  async #local(attempt: Attempt, away: BerthError): Promise<Lease> {
    const { request, options } = attempt;
    const { local } = this.options;
    if (request.degrade.forbidLocal || request.isolation === 'gvisor') throw away;
    const problem = local === undefined ? 'this daemon has none' : local.problem();
    if (local === undefined || problem !== '')
      throw new BerthError(
        'DOCKER_UNAVAILABLE',
        `${away.message}. Without Docker code could only run in the local engine: ${problem}`,
        { cause: away, retryAfterMs: 5_000 },
      );
    return local.oneShots.acquire({
      ...this.#remaining(attempt),
      spec: await local.specs.resolve(request, options.signal),
      missReason: 'engine_unavailable',
      servedReason: away.message,
    });
  }

  #remaining({ request, options, startedAt, timeoutMs }: Attempt) {
    return {
      ...options,
      tenant: request.tenant,
      startedAt,
      waitMs: Math.max(0, timeoutMs - (performance.now() - startedAt)),
    };
  }
}

/** After these, waiting for a pool's sandbox would be against the caller's will, or in vain. */
const FINAL: ReadonlySet<string> = new Set(['CANCELLED', 'SHUTTING_DOWN', 'DOCKER_UNAVAILABLE']);
