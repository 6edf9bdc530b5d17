const BUCKET_MS = 10_000;
const BUCKETS = 30;

/** How long something counts. Milliseconds. */
export const WINDOW_MS = BUCKET_MS * BUCKETS;

interface Tally {
  acquires: number;
  slowAcquires: number;
  slowestMs: number;
  resets: number;
  resetFailures: number;
  checks: number;
  checkFailures: number;
}

const EMPTY: Readonly<Tally> = {
  acquires: 0,
  slowAcquires: 0,
  slowestMs: 0,
  resets: 0,
  resetFailures: 0,
  checks: 0,
  checkFailures: 0,
};

/** An acquire that takes longer is slow. Milliseconds. */
export const SLOW_ACQUIRE_MS = 1_000;

/**
 * What happened in a pool in the last five minutes, for its alerts: a ring of tallies of ten seconds each, so that noting
 * something costs an addition and memory is constant.
 */
export class RecentWindow {
  readonly #tallies: Tally[] = Array.from({ length: BUCKETS }, () => ({ ...EMPTY }));
  /** Number of the ten seconds that the newest tally is of, since the epoch. */
  #newest = 0;

  /** `now`: milliseconds since the epoch. */
  acquired(now: number, waitMs: number): void {
    const tally = this.#at(now);
    tally.acquires++;
    if (waitMs > SLOW_ACQUIRE_MS) tally.slowAcquires++;
    if (waitMs > tally.slowestMs) tally.slowestMs = waitMs;
  }

  reset(now: number, ok: boolean): void {
    const tally = this.#at(now);
    tally.resets++;
    if (!ok) tally.resetFailures++;
  }

  checked(now: number, ok: boolean): void {
    const tally = this.#at(now);
    tally.checks++;
    if (!ok) tally.checkFailures++;
  }

  total(now: number): Tally {
    this.#at(now);
    const sum = { ...EMPTY };
    for (const tally of this.#tallies) {
      for (const key of Object.keys(EMPTY) as (keyof Tally)[])
        sum[key] = key === 'slowestMs' ? Math.max(sum[key], tally[key]) : sum[key] + tally[key];
    }
    return sum;
  }

  #at(now: number): Tally {
    const number = Math.floor(now / BUCKET_MS);
    const stale = Math.min(BUCKETS, number - this.#newest);
    for (let i = 0; i < stale; i++) Object.assign(this.#tallies[(number - i) % BUCKETS]!, EMPTY);
    if (stale > 0) this.#newest = number;
    return this.#tallies[this.#newest % BUCKETS]!;
  }
}
