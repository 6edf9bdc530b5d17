/** Fresh sandboxes beyond those that it has at rest, and empty places, of a pool through which tenants pass. Each at most. */
const MORE_FRESH = 2;
const PLACES = 2;
/** What of the rest goes for them: the others stay with their tenants. */
const SHARE = 2 / 3;

/** What a pool shall have at the cost of kept sandboxes. */
export interface Ahead {
  /** Fresh sandboxes. */
  fresh: number;
  /** Empty places. */
  places: number;
}

/**
 * How much a full pool shall have ahead at the cost of kept sandboxes: fresh ones, and then empty places. A tenant that must
 * wait until another's sandbox is removed and a new one made waits for both, one after the other; where tenants come one after
 * the other, it is better made before, and the place of the next one is better empty. Where they come back to their own,
 * nothing may be taken from them ahead of need.
 *
 * Invariant: 0 until somebody had to wait for a kept sandbox's place; each such wait makes it one more, each tenant that
 * finds its own again one less.
 */
export class Turnover {
  #ahead = 0;
  #most = { fresh: 0, places: 0 };

  get ahead(): Ahead {
    const fresh = Math.min(this.#ahead, this.#most.fresh);
    return { fresh, places: this.#ahead - fresh };
  }

  /**
   * Whether tenants keep coming who find nothing of their own, so many that all that can be had ahead is. Never in a pool that
   * is too small for empty places: it has no more for them than for those who come back.
   */
  get isSteady(): boolean {
    const { fresh, places } = this.#most;
    return places > 0 && this.#ahead >= fresh + places;
  }

  /** A tenant waits for the place of a sandbox that is kept for somebody else. `atRest`: fresh ones that the pool has then, of `max`. */
  waited(atRest: number, max: number): void {
    if (atRest === 0) return;
    const more = Math.floor((max - atRest) * SHARE);
    const places = Math.min(PLACES, Math.ceil(more / 2));
    this.#most = { fresh: atRest + Math.min(MORE_FRESH, more - places), places };
    this.#ahead = Math.min(this.#ahead + 1, this.#most.fresh + places);
  }

  /** A tenant found the sandbox that was kept for it. */
  returned(): void {
    this.#ahead = Math.max(0, this.#ahead - 1);
  }

  /** Nobody has come for long. */
  ceased(): void {
    this.#ahead = 0;
  }
}
