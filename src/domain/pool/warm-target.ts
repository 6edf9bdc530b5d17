import type { PoolSettings } from './settings.js';

/**
 * How many sandboxes that no tenant has had one pool wants, beside those that somebody waits for: `initial` (or what it was
 * asked to warm up to) while it is used, `min` once it was idle for its idle time. Times: milliseconds since the epoch.
 */
export class WarmTarget {
  #count: number;
  #lastUsedAt: number;

  constructor(
    private readonly settings: () => PoolSettings,
    private readonly now: () => number,
  ) {
    this.#count = settings().initial;
    this.#lastUsedAt = now();
  }

  get count(): number {
    return this.#count;
  }

  get lastUsedAt(): number {
    return this.#lastUsedAt;
  }

  /** Somebody wants a sandbox. */
  used(): void {
    this.released();
    this.#count = Math.max(this.#count, this.settings().initial);
  }

  /** A use has ended. */
  released(): void {
    this.#lastUsedAt = this.now();
  }

  /** So many are wanted, within the settings. */
  aim(count: number): void {
    const { initial, max } = this.settings();
    this.released();
    this.#count = Math.min(Math.max(count, initial), max);
  }

  /** To be called while no execution runs: wants less once the idle time is over. @returns whether it is */
  relax(): boolean {
    const { idleTimeoutMs, min } = this.settings();
    const isOver = this.now() - this.#lastUsedAt >= idleTimeoutMs;
    if (isOver) this.#count = min;
    return isOver;
  }
}
