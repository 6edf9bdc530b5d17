import { unlessAborted } from '../lib/unless-aborted.js';
import { BerthError } from './errors.js';

const MOST_KEPT = 500;
const KEPT_MS = 15 * 60_000;

interface First<T> {
  digest: string;
  at: number;
  answer: Promise<T>;
}

/**
 * Answers a repeated `request_id` with what the first call answered, and does nothing again. The work of a call belongs to
 * the daemon: a caller that goes away does not end it, and a repeat joins it. Kept for a quarter of an hour, at most 500; a
 * failure is not kept, so that the repeat tries again.
 */
export class RequestReplay<T> {
  /** In the order in which they came. */
  readonly #first = new Map<string, First<T>>();

  constructor(private readonly now: () => number = Date.now) {}

  /** Whether the id was used lately, for whatever request. */
  isKnown({ scope, requestId }: { scope: string; requestId: string }): boolean {
    return this.#first.has(`${scope}\n${requestId}`);
  }

  /**
   * @param scope whom and what the id is of: the tenant and the method
   * @param digest of the request's content
   * @throws BerthError REQUEST_ID_REUSED, CANCELLED when the signal is aborted, or what `work` throws
   */
  async run(
    request: { scope: string; requestId: string; digest: string },
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const { scope, requestId, digest } = request;
    if (requestId === '') return unlessAborted(work(), signal);
    const key = `${scope}\n${requestId}`;
    const first = this.#first.get(key);
    if (first !== undefined && this.now() - first.at < KEPT_MS) {
      if (first.digest === digest) return unlessAborted(first.answer, signal);
      throw new BerthError(
        'REQUEST_ID_REUSED',
        `request_id ${requestId} was used before for a different request; choose a new one`,
      );
    }
    const answer = work();
    this.#first.delete(key);
    this.#first.set(key, { digest, at: this.now(), answer });
    answer.catch(() => {
      if (this.#first.get(key)?.answer === answer) this.#first.delete(key);
    });
    const [oldest] = this.#first.keys();
    if (this.#first.size > MOST_KEPT && oldest !== undefined) this.#first.delete(oldest);
    return unlessAborted(answer, signal);
  }
}
