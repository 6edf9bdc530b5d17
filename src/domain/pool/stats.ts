/** Why a request did not find a sandbox ready. */
export type MissReason =
  /** No pool of this spec existed; one was made. */
  | 'new_pool'
  /** Nothing had been leased yet; the first sandboxes were still being created. */
  | 'warming_up'
  /** All sandboxes were in use; the pool grew. */
  | 'all_in_use'
  /** The only ones not in use were being reset. */
  | 'resetting'
  /** The pool was at its maximum; the request waited for a sandbox to come back. */
  | 'at_maximum'
  /** The only idle sandboxes were kept for other tenants; one was replaced. */
  | 'other_tenant'
  /** The pool could not create a sandbox. */
  | 'create_failed'
  /** The container engine did not answer. */
  | 'engine_unavailable'
  /** The request insisted on a container of its own. */
  | 'own_container'
  /** What Berth may promise on this host is used up; the request waited. */
  | 'host_budget'
  /** The pool is being drained. */
  | 'draining'
  /** The sandbox that was free turned out dead or unhealthy. */
  | 'unhealthy'
  /** Pools are switched off. */
  | 'disabled';

const KEPT_SAMPLES = 1_000;

/** The last durations, for percentiles. Milliseconds. */
export class Durations {
  readonly #samples: number[] = [];
  #next = 0;

  add(ms: number): void {
    if (this.#samples.length < KEPT_SAMPLES) this.#samples.push(ms);
    else this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT_SAMPLES;
  }

  /** How many measurements the percentiles are of, at most 1,000. */
  get count(): number {
    return this.#samples.length;
  }

  /** Nearest-rank percentile (100: the largest) of the last 1,000; 0 when there is none. */
  percentile(p: number): number {
    if (this.#samples.length === 0) return 0;
    const sorted = [...this.#samples].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)]!;
  }
}

/** Counters of one pool over its life. */
export class PoolCounters {
  created = 0;
  destroyed = 0;
  executions = 0;
  resets = 0;
  resetFailures = 0;
  healthCheckFailures = 0;
  createFailures = 0;
  hits = 0;
  readonly misses: Record<MissReason, number> = {
    new_pool: 0,
    warming_up: 0,
    all_in_use: 0,
    resetting: 0,
    at_maximum: 0,
    other_tenant: 0,
    create_failed: 0,
    engine_unavailable: 0,
    own_container: 0,
    host_budget: 0,
    draining: 0,
    unhealthy: 0,
    disabled: 0,
  };
  idleReclaimed = 0;
  lost = 0;
  acquireTimeouts = 0;
  readonly waitMs = new Durations();
  readonly createMs = new Durations();
  readonly executionMs = new Durations();
  readonly resetMs = new Durations();
}
