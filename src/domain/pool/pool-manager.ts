import { createHash } from 'node:crypto';
import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import type { SandboxEngine } from '../sandbox/engine.js';
import type { ExecutionRequest } from '../sandbox/execution.js';
import type { Languages } from '../sandbox/languages.js';
import type { SandboxFactory } from '../sandbox/sandbox.js';
import { specKey, type SandboxLimits, type SandboxSpec } from '../sandbox/spec.js';
import type { AcquireOptions, Lease } from './lease.js';
import { SandboxPool, type PoolOptions } from './pool.js';
import type { PoolSizes } from './sizes.js';

export interface PoolManagerOptions {
  engine: SandboxEngine;
  factory: SandboxFactory;
  languages: Languages;
  logger: Logger;
  /** Of a sandbox whose request names none. */
  limits: SandboxLimits;
  sizes: PoolSizes;
  timing: Pick<
    PoolOptions,
    'keepForTenantMs' | 'acquireTimeoutMs' | 'createTimeoutMs' | 'maxUses' | 'maxAgeMs' | 'parallelCreates'
  >;
}

/** How long a resolved image digest is believed before it is looked up again behind the request. */
const DIGEST_TTL_MS = 60_000;
const MAINTAIN_EVERY_MS = 1_000;
const RETRY_MISSING_MS = 5_000;
const MEMORY_STEP_BYTES = 1024 * 1024;

/** What `acquire` reads of an execution request. */
export type PoolRequest = Pick<
  ExecutionRequest,
  | 'tenant'
  | 'language'
  | 'version'
  | 'image'
  | 'limits'
  | 'isolation'
  | 'acquireTimeoutMs'
  | 'poolId'
  | 'poolPreset'
  | 'ownContainer'
  | 'degrade'
>;

/**
 * The pools of this daemon, one for each spec. The pool of the default spec of each language is made at boot; others are
 * made by the first request that needs them, keep nothing warm beyond what is used, and go when they were idle long enough.
 */
export class PoolManager {
  readonly #pools = new Map<string, SandboxPool>();
  readonly #digests = new Map<string, { digest: string; at: number; refreshing: boolean }>();
  /** Pools that are never forgotten. */
  readonly #standing = new Set<string>();
  /** The standing pool of each language. */
  readonly #ofLanguage = new Map<string, SandboxPool>();
  #timer: NodeJS.Timeout | undefined;
  /** Why there is no standing pool for a language, by its name. */
  readonly #missing = new Map<string, BerthError>();
  #problem = '';
  /** Called when `problem` has changed; looked at about once a second. */
  onProblemChange: (() => void) | undefined;
  #triedAt = 0;
  #closed = false;

  constructor(private readonly options: PoolManagerOptions) {}

  /** Makes the standing pools that there are not yet; what is missing (an image, Docker) is tried again every few seconds. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => this.#maintain(), MAINTAIN_EVERY_MS).unref();
    this.#triedAt = Date.now();
    for (const language of this.options.languages.all()) {
      try {
        const spec = await this.#spec(language.image, [language.name], this.options.limits, 'reuse');
        const { pool } = this.#poolOf(spec, this.options.sizes);
        this.#missing.delete(language.name);
        const before = this.#ofLanguage.get(language.name);
        pool.retryNow();
        if (before === pool) continue;
        // The image behind the name is another one now: the old pool keeps nothing more and goes when it is idle.
        before?.resize({ ...before.sizes, min: 0, initial: 0 });
        if (before !== undefined) this.#standing.delete(before.id);
        this.#ofLanguage.set(language.name, pool);
        pool.resize(this.options.sizes);
        this.options.logger.info(
          {
            event: 'pool_initialised',
            pool: pool.id,
            language: language.name,
            image: language.image,
            ...this.options.sizes,
          },
          'pool initialised',
        );
        this.#standing.add(pool.id);
      } catch (error) {
        const known =
          error instanceof BerthError
            ? error
            : new BerthError('INTERNAL', messageOf(error), { cause: error });
        // Tried again every few seconds: said once.
        if (this.#missing.get(language.name)?.message !== known.message) {
          this.options.logger.warn(
            { language: language.name, image: language.image, err: known },
            'no pool yet for a language',
          );
        }
        this.#missing.set(language.name, known);
      }
    }
  }

  /** Why code cannot be run for want of a sandbox, and what to do; empty when it can. */
  get problem(): string {
    const [missing] = this.#missing.values();
    const stuck = [...this.#ofLanguage.values()].find(
      (pool) => pool.backoff.lastError !== undefined && pool.count('warm', 'kept', 'leased') === 0,
    );
    return missing?.message ?? stuck?.backoff.lastError?.message ?? '';
  }

  pools(): SandboxPool[] {
    return [...this.#pools.values()];
  }

  /** @throws BerthError POOL_NOT_FOUND. An empty id means the oldest pool. */
  get(id: string): SandboxPool {
    const pool = this.pools().find((p) => id === '' || p.id === id);
    if (pool !== undefined) return pool;
    throw new BerthError(
      'POOL_NOT_FOUND',
      id === ''
        ? "there is no pool yet; see berthd's log or `berth doctor`"
        : `there is no pool ${id}; see ListPools`,
      {
        resource: { type: 'pool', name: id },
      },
    );
  }

  /** A sandbox for a request. @throws as `SandboxPool.acquire` and `SandboxEngine.resolveImage` */
  async acquire(request: PoolRequest, { signal }: AcquireOptions): Promise<Lease> {
    const startedAt = performance.now();
    const spec = await this.specOf(request, signal);
    const { pool, made } = this.#poolOf(spec, undefined);
    const lease = await pool.acquire(request.tenant, {
      ...(signal !== undefined && { signal }),
      ...(request.acquireTimeoutMs > 0 && { timeoutMs: request.acquireTimeoutMs }),
      ...(made && { missReason: 'new_pool' as const }),
    });
    // The caller's wait includes finding the image and the pool.
    return { ...lease, waitMs: performance.now() - startedAt };
  }

  /** The spec that a request describes. */
  specOf(
    request: Pick<PoolRequest, 'language' | 'version' | 'image' | 'limits' | 'isolation'>,
    signal?: AbortSignal,
  ): Promise<SandboxSpec> {
    const language =
      request.language === '' ? undefined : this.options.languages.resolve(request.language, request.version);
    const image = request.image === '' ? language!.image : request.image;
    const limits: SandboxLimits = {
      ...this.options.limits,
      ...(request.limits.memoryBytes > 0 && {
        memoryBytes: roundUp(request.limits.memoryBytes, MEMORY_STEP_BYTES),
      }),
      ...(request.limits.cpuMillis > 0 && { cpuMillis: request.limits.cpuMillis }),
      ...(request.limits.processes > 0 && { processes: request.limits.processes }),
      ...(request.limits.scratchBytes > 0 && {
        tmpfsBytes: roundUp(request.limits.scratchBytes, MEMORY_STEP_BYTES),
      }),
    };
    return this.#spec(
      image,
      language === undefined ? [] : [language.name],
      limits,
      request.isolation,
      signal,
    );
  }

  /** The pool of a spec, made with these sizes when there is none. */
  poolFor(spec: SandboxSpec, sizes: PoolSizes): SandboxPool {
    const { pool } = this.#poolOf(spec, sizes);
    this.#standing.add(pool.id);
    return pool;
  }

  /** Resolves when every sandbox is gone; leased ones go when their executions release them. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await Promise.all(this.pools().map((pool) => pool.close()));
  }

  #poolOf(spec: SandboxSpec, sizes: PoolSizes | undefined): { pool: SandboxPool; made: boolean } {
    if (this.#closed)
      throw new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back');
    const key = specKey(spec);
    const existing = this.#pools.get(key);
    if (existing !== undefined) return { pool: existing, made: false };
    const pool = new SandboxPool({
      id: poolId(key),
      spec,
      // A pool that a request brought about keeps nothing ready beyond what it needs.
      sizes: sizes ?? { ...this.options.sizes, min: 0, initial: 0 },
      factory: this.options.factory,
      logger: this.options.logger,
      ...this.options.timing,
    });
    this.#pools.set(key, pool);
    return { pool, made: true };
  }

  async #spec(
    image: string,
    languages: string[],
    limits: SandboxLimits,
    isolation: SandboxSpec['isolation'],
    signal?: AbortSignal,
  ): Promise<SandboxSpec> {
    const known = this.#digests.get(image);
    const imageDigest = known?.digest ?? (await this.#lookUp(image, signal));
    if (known !== undefined && !known.refreshing && Date.now() - known.at > DIGEST_TTL_MS) {
      known.refreshing = true;
      const renewed = this.#lookUp(image).then((digest) => {
        if (digest !== known.digest && !this.#closed) void this.start();
      });
      renewed.catch((error: unknown) => {
        known.refreshing = false;
        // A removed image must not be served from memory; Docker being away must not forget it.
        if (error instanceof BerthError && error.reason === 'IMAGE_NOT_FOUND') this.#digests.delete(image);
      });
    }
    return { image, imageDigest, languages, limits, network: 'none', isolation };
  }

  async #lookUp(image: string, signal?: AbortSignal): Promise<string> {
    const digest = await this.options.engine.resolveImage(image, signal);
    this.#digests.set(image, { digest, at: Date.now(), refreshing: false });
    return digest;
  }

  #maintain(): void {
    const { problem } = this;
    if (problem !== this.#problem) {
      this.#problem = problem;
      this.onProblemChange?.();
    }
    if (this.#missing.size > 0 && Date.now() - this.#triedAt >= RETRY_MISSING_MS) void this.start();
    for (const [key, pool] of this.#pools) {
      pool.maintain();
      const forgotten = !this.#standing.has(pool.id) && pool.slots().size === 0 && pool.waiting === 0;
      if (forgotten && Date.now() - pool.lastUsedAt >= pool.sizes.idleTimeoutMs) {
        this.#pools.delete(key);
        void pool.close();
      }
    }
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** The same for the same spec, also over restarts. */
function poolId(key: string): string {
  return `pool-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
}
