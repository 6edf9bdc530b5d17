/** How much of what is known the newest creation changes. */
const NEWEST_WEIGHT = 0.2;

/**
 * Spreads creations evenly over time. Two that begin together on a host where both keep all cores busy also end together,
 * each after the time of two: whoever waits for the second gets it no earlier than if it had begun half a creation later, and
 * whoever waits for the next one waits twice as long as need be.
 *
 * Invariants: where nothing is being created, a creation begins at once; else it begins no sooner after the one before than
 * the usual time of a creation divided by how many may run at once.
 */
export class CreationPace {
  #lastBegunAt = 0;
  /** Milliseconds; 0: not known yet. */
  #usualMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param parallel creations at once, at most
   * @param due called when another may begin that was refused
   * @param now monotonic, milliseconds
   */
  constructor(
    private readonly parallel: number,
    private readonly due: () => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Whether another may begin while so many are under way. */
  allows(underWay: number): boolean {
    const early = this.#lastBegunAt + this.#usualMs / this.parallel - this.now();
    if (underWay === 0 || early <= 0) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.due();
    }, early).unref();
    return false;
  }

  begun(): void {
    this.#lastBegunAt = this.now();
  }

  /** One has succeeded. */
  took(ms: number): void {
    this.#usualMs = this.#usualMs === 0 ? ms : this.#usualMs + (ms - this.#usualMs) * NEWEST_WEIGHT;
  }
}
