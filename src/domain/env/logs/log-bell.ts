import { setTimeout as delay } from 'node:timers/promises';
import { deferred } from '../../../lib/deferred.js';
import type { LogChunk } from '../engine.js';

/**
 * Rings once, at the first line that a container writes behind where its log stood when the bell was hung. A follow of
 * Docker's is good for no more than that: where a file is rotated behind its back it leaves out files or reads one twice,
 * and it may even wait at a file that nobody writes to any longer. So a bell that is silent for long is to be hung anew.
 */
export class LogBell {
  readonly #hung = deferred();
  readonly #over = new AbortController();
  #hasRung = false;
  #failure: { error: unknown } | undefined;

  /**
   * @param follow opens the log at its last line and follows it
   * @param isOld whether the line with which that begins, if there is one, is known already
   * @param signal takes it down
   */
  constructor(
    follow: (signal: AbortSignal) => AsyncIterable<LogChunk>,
    isOld: (first: LogChunk) => boolean,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', this.close, { once: true });
    if (signal.aborted) this.close();
    void this.#listen(follow(this.#over.signal), isOld);
  }

  /** Resolves, never rejects, when it hangs or is over. Where the log is empty that cannot be seen before it rings. */
  get hung(): Promise<void> {
    return this.#hung.promise;
  }

  /** @returns whether it rang, kept silent for so long, or was taken down (`ended`). @throws what the follow threw */
  async within(ms: number): Promise<'rang' | 'silent' | 'ended'> {
    const silent = await delay(ms, true, { signal: this.#over.signal }).catch(() => false);
    if (this.#hasRung) return 'rang';
    if (silent) return 'silent';
    if (this.#failure && !this.signal.aborted) throw this.#failure.error as Error;
    return 'ended';
  }

  /** Takes it down. */
  readonly close = (): void => {
    this.signal.removeEventListener('abort', this.close);
    this.#hung.resolve();
    this.#over.abort();
  };

  async #listen(log: AsyncIterable<LogChunk>, isOld: (first: LogChunk) => boolean): Promise<void> {
    let isFirst = true;
    try {
      for await (const chunk of log) {
        if (isFirst && isOld(chunk)) {
          isFirst = false;
          this.#hung.resolve();
          continue;
        }
        this.#hasRung = true;
        break;
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.close();
  }
}
