import type { Logger } from '../../telemetry/logger.js';
import { messageOf } from '../errors.js';

const FIRST_PAUSE_MS = 500;

/**
 * When recovery comes round: at once when it is woken (Docker or the store came back), soon when an operation was cut off,
 * and after each interval. A round that fails is tried again after a growing pause. Rounds never overlap; whoever wakes
 * one that is under way gets another one behind it, since the one under way may have looked already.
 */
export class RecoveryLoop {
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #pauseMs = FIRST_PAUSE_MS;
  #running = false;
  #again = false;
  #closed = false;

  constructor(
    private readonly options: {
      intervalMs: number;
      /** One round. It does nothing where nothing can be done yet: then somebody wakes it when that changes. */
      round: () => Promise<void>;
      logger: Logger;
    },
  ) {}

  wake(): void {
    if (this.#closed) return;
    if (this.#running) this.#again = true;
    else void this.#run();
  }

  soon(): void {
    this.#within(this.#pauseMs);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    const { intervalMs, round, logger } = this.options;
    this.#running = true;
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
    try {
      do {
        this.#again = false;
        await round();
      } while (this.#again && !this.#closed);
      this.#pauseMs = FIRST_PAUSE_MS;
    } catch (error) {
      logger.warn(
        { err: error, retryAfterMs: this.#pauseMs },
        `the recovery of envs did not come to its end; it is tried again: ${messageOf(error)}`,
      );
      this.#within(this.#pauseMs);
      this.#pauseMs = Math.min(this.#pauseMs * 2, intervalMs);
    } finally {
      this.#running = false;
      this.#within(intervalMs);
    }
  }

  /** Comes round after so long, or earlier when that is due already. */
  #within(ms: number): void {
    const at = performance.now() + ms;
    if (this.#closed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.wake(), ms).unref();
  }
}
