import type { MissReason } from './outcome.js';

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

  /** Nearest-rank percentiles (100: the largest) of the last 1,000; 0 each when there is none. */
  percentiles<const P extends readonly number[]>(...percents: P): { [K in keyof P]: number } {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const at = (p: number): number => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
    return percents.map(at) as { [K in keyof P]: number };
  }
}

/** Counters of one pool over its life. */
export class PoolCounters {
  created = 0;
  destroyed = 0;
  executions = 0;
  resets = 0;
  resetFailures = 0;
  healthChecks = 0;
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
