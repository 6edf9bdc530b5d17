/**
 * How many fresh sandboxes a full pool shall have at the cost of kept ones. A tenant that must wait until another's sandbox is
 * removed and a new one made waits for both, one after the other; where tenants come one after the other, it is better made
 * before. Where they come back to their own, nothing may be taken from them ahead of need.
 *
 * Invariant: 0 until somebody had to wait for a kept sandbox's place; each such wait makes it one more, each tenant that
 * finds its own again one less.
 */
export class Turnover {
  #ahead = 0;

  get ahead(): number {
    return this.#ahead;
  }

  /** A tenant waits for the place of a sandbox that is kept for somebody else. `most`: of `ahead`. */
  waited(most: number): void {
    this.#ahead = Math.min(this.#ahead + 1, most);
  }

  /** A tenant found the sandbox that was kept for it. */
  returned(): void {
    this.#ahead = Math.max(0, this.#ahead - 1);
  }
}
