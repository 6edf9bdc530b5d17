/** What a waiting place is told and may be refused with. */
export interface WaitOptions {
  /** Time it may wait, in milliseconds. */
  timeoutMs: number;
  /** What is thrown then. */
  timedOut(): Error;
  /** Told the position, from 1, when there is no place at once, and again when it changes. A position that is overtaken by a newer one is left out. */
  onPosition(position: number, taken: number): Promise<void>;
}

interface Waiter {
  grant(): void;
  fail(error: unknown): void;
  /** The position it was told last. */
  told: number;
  /** Under way; undefined: nobody is telling it. */
  telling: Promise<void> | undefined;
  onPosition: WaitOptions['onPosition'];
}

/** A limited number of places, given in the order of asking. */
export class Slots {
  #free: number;
  readonly #queue: Waiter[] = [];

  constructor(private readonly count: number) {
    this.#free = count;
  }

  /** How many have a place or wait for one. */
  get asked(): number {
    return this.count - this.#free + this.#queue.length;
  }

  /**
   * Resolves with the release of the place (call it once), or when the signal is aborted while waiting, with a release
   * that does nothing. @throws `timedOut()`, and what `onPosition` throws
   */
  async take(signal: AbortSignal, options: WaitOptions): Promise<() => void> {
    if (this.#free > 0) {
      this.#free--;
      return () => this.#release();
    }
    let waiter!: Waiter;
    let timer: NodeJS.Timeout | undefined;
    let abort!: () => void;
    const aborted = new Promise<void>((resolve) => (abort = resolve));
    const granted = new Promise<void>((resolve, reject) => {
      const { onPosition } = options;
      waiter = { grant: resolve, fail: reject, told: 0, telling: undefined, onPosition };
      timer = setTimeout(() => reject(options.timedOut()), options.timeoutMs);
    });
    this.#queue.push(waiter);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    let kept = false;
    try {
      this.#tell(waiter);
      await Promise.race([granted, aborted]);
      kept = !signal.aborted;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (!kept) this.#leave(waiter);
      // Nothing is told of a place behind what comes next.
      await waiter.telling;
    }
    return kept ? () => this.#release() : () => {};
  }

  /** Gives up a place in the queue, or the place itself if it was given meanwhile. */
  #leave(waiter: Waiter): void {
    const index = this.#queue.indexOf(waiter);
    if (index < 0) return this.#release();
    this.#queue.splice(index, 1);
    this.#tellAll();
  }

  #release(): void {
    const next = this.#queue.shift();
    if (!next) {
      this.#free++;
      return;
    }
    next.grant();
    this.#tellAll();
  }

  #tellAll(): void {
    for (const waiter of this.#queue) this.#tell(waiter);
  }

  /** One telling at a time for each, until it knows where it stands. */
  #tell(waiter: Waiter): void {
    if (waiter.telling || !this.#hasMoved(waiter)) return;
    waiter.telling = this.#untilTold(waiter);
  }

  async #untilTold(waiter: Waiter): Promise<void> {
    try {
      while (this.#hasMoved(waiter)) {
        waiter.told = this.#positionOf(waiter);
        await waiter.onPosition(waiter.told, this.count - this.#free);
      }
    } catch (error) {
      waiter.fail(error);
    } finally {
      waiter.telling = undefined;
    }
  }

  /** It waits, and not where it was told. */
  #hasMoved(waiter: Waiter): boolean {
    const position = this.#positionOf(waiter);
    return position > 0 && position !== waiter.told;
  }

  /** From 1; 0: it does not wait any more. */
  #positionOf(waiter: Waiter): number {
    return this.#queue.indexOf(waiter) + 1;
  }
}
