import type { EnvClock } from './clock.js';

/** Beyond it, an undo that fails again is tried no more rarely. */
const MOST_INTERVALS = 16;

/**
 * When undos that failed are tried again: at the next round of recovery, and one that fails there after twice, four times,
 * … as long, so that what cannot be mended by itself does not fill the log. It is of one life of the daemon: a new one
 * tries everything at once.
 */
export class UndoRetries {
  readonly #byOperation = new Map<string, { failures: number; at: number }>();
  #nextRoundAt: number;

  constructor(
    private readonly clock: EnvClock,
    private readonly intervalMs: number,
  ) {
    this.#nextRoundAt = clock.now();
  }

  /** A round of recovery begins. @param unfinished ids of the operations that there is something left of */
  begin(unfinished: readonly string[]): void {
    this.#nextRoundAt = this.clock.now() + this.intervalMs;
    for (const id of this.#byOperation.keys()) if (!unfinished.includes(id)) this.#byOperation.delete(id);
  }

  isDue(operationId: string): boolean {
    return (this.#byOperation.get(operationId)?.at ?? 0) <= this.clock.now();
  }

  failed(operationId: string): void {
    const failures = (this.#byOperation.get(operationId)?.failures ?? 0) + 1;
    const at = this.clock.now() + this.intervalMs * Math.min(2 ** failures, MOST_INTERVALS);
    this.#byOperation.set(operationId, { failures, at });
  }

  /** Milliseconds since the epoch. */
  timeOf(operationId: string): number {
    return this.#byOperation.get(operationId)?.at ?? this.#nextRoundAt;
  }
}
