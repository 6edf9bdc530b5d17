import { createHash } from 'node:crypto';
import { BerthError } from '../errors.js';
import { specKey, type SandboxSpec } from '../sandbox/spec.js';
import { costOf } from './creations.js';
import type { HostBudget, Promised } from './host-budget.js';
import type { SandboxPool } from './pool.js';
import { shuttingDown } from './refusals.js';
import type { PoolSettings } from './settings.js';

/**
 * The pools of this daemon, one for each spec. Invariants: one pool for a spec at a time; a pool that is not standing goes
 * when it was idle for its idle time, its minimum included; a pool is out of here before it is closed.
 */
export class PoolRegistry {
  readonly #byKey = new Map<string, SandboxPool>();
  readonly #byId = new Map<string, SandboxPool>();
  /** Spares the hot path the key. */
  #bySpec = new WeakMap<SandboxSpec, SandboxPool>();
  /** Pools that are never forgotten. */
  readonly #standing = new Set<SandboxPool>();
  /** Those that are out of here and not empty yet. */
  readonly #leaving = new Set<Promise<void>>();
  #closed = false;

  constructor(
    private readonly budget: HostBudget,
    private readonly make: (id: string, spec: SandboxSpec, settings: PoolSettings) => SandboxPool,
  ) {
    budget.lacking = (need) => this.#makeRoom(need);
  }

  /** Oldest first. */
  all(): SandboxPool[] {
    return [...this.#byId.values()];
  }

  /** @throws BerthError POOL_NOT_FOUND. An empty id means the oldest pool. */
  get(id: string): SandboxPool {
    const pool = id === '' ? this.all()[0] : this.#byId.get(id);
    if (pool !== undefined) return pool;
    const message =
      id === ''
        ? "there is no pool yet; see berthd's log or `berth doctor`"
        : `there is no pool ${id}; see ListPools`;
    throw new BerthError('POOL_NOT_FOUND', message, { resource: { type: 'pool', name: id } });
  }

  /** The pool of a spec, when there is one. */
  find(spec: SandboxSpec): SandboxPool | undefined {
    const known = this.#bySpec.get(spec);
    if (known !== undefined) return known;
    const pool = this.#byKey.get(specKey(spec));
    if (pool !== undefined) this.#bySpec.set(spec, pool);
    return pool;
  }

  /** The pool of a spec, made with these settings when there is none. @throws BerthError SHUTTING_DOWN, HOST_BUDGET */
  of(spec: SandboxSpec, settings: PoolSettings): { pool: SandboxPool; made: boolean } {
    const existing = this.find(spec);
    if (existing !== undefined) return { pool: existing, made: false };
    if (this.#closed) throw shuttingDown();
    this.budget.check(costOf(spec));
    const key = specKey(spec);
    const pool = this.make(poolId(key), spec, settings);
    this.#byKey.set(key, pool);
    this.#byId.set(pool.id, pool);
    return { pool, made: true };
  }

  /** The pool that a sandbox is of. */
  holding(sandboxId: string): SandboxPool | undefined {
    return this.all().find((pool) => pool.slots().has(sandboxId));
  }

  keep(pool: SandboxPool): void {
    this.#standing.add(pool);
  }

  /** It goes as soon as it is idle. */
  letGo(pool: SandboxPool): void {
    this.#standing.delete(pool);
  }

  isStanding(pool: SandboxPool): boolean {
    return this.#standing.has(pool);
  }

  /** Takes it out and closes it; resolves when its sandboxes are gone. */
  async remove(pool: SandboxPool): Promise<void> {
    if (this.#byId.get(pool.id) === pool) {
      this.#byId.delete(pool.id);
      this.#byKey.delete(specKey(pool.spec));
      this.#bySpec = new WeakMap();
    }
    this.#standing.delete(pool);
    const leaving = pool.close();
    this.#leaving.add(leaving);
    await leaving;
    this.#leaving.delete(leaving);
  }

  /** To be called about once a second. */
  maintain(now: number): void {
    for (const pool of this.all()) {
      pool.maintain();
      const busy = pool.waiting + pool.count('leased') + pool.count('resetting') > 0;
      if (this.#standing.has(pool) || busy || now - pool.lastUsedAt < pool.settings.idleTimeoutMs) continue;
      void this.remove(pool);
    }
  }

  /** Resolves when the sandboxes of every pool are gone, of those that were removed as well. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.all().map((pool) => pool.close()), ...this.#leaving]);
  }

  /** Somebody waits for the budget: what is kept for tenants goes first, then what is warm beyond the minimum. */
  #makeRoom(need: Promised): void {
    let { memoryBytes, cpuMillis } = need;
    const leastUsedFirst = this.all().sort((a, b) => a.lastUsedAt - b.lastUsedAt);
    for (const giveUp of [(pool: SandboxPool) => pool.giveUpKept(), (pool: SandboxPool) => pool.giveUpWarm()])
      for (const pool of leastUsedFirst)
        while ((memoryBytes > 0 || cpuMillis > 0) && giveUp(pool)) {
          memoryBytes -= pool.cost.memoryBytes;
          cpuMillis -= pool.cost.cpuMillis;
        }
  }
}

/** The same for the same spec, also over restarts. */
function poolId(key: string): string {
  return `pool-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
}
