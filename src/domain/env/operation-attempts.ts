import { BerthError } from '../errors.js';
import type { EnvServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import type { OperationStart } from './operation-start.js';

/** What a try to begin an operation came to: it began, or one that is under way was joined, or something has to end first. */
export type Attempt = { handle: OperationHandle; joined?: boolean } | { waitFor: Promise<unknown> };

/** Tries to begin operations, under the lock of the env's key, until they have begun. */
export class OperationAttempts {
  #closing = false;

  constructor(
    private readonly services: EnvServices,
    private readonly start: OperationStart,
  ) {}

  /** From now on every attempt is refused. */
  close(): void {
    this.#closing = true;
  }

  /**
   * Between the tries the lock is free.
   * @throws SHUTTING_DOWN, REQUEST_ID_REUSED, what a try throws, the signal's reason while waiting
   */
  async begin(
    key: string,
    request: { tenant: string; requestId: string },
    requestDigest: string,
    signal: AbortSignal | undefined,
    tryOnce: () => Promise<Attempt>,
  ): Promise<OperationHandle> {
    for (;;) {
      signal?.throwIfAborted();
      const result = await this.services.locks.run(key, async (): Promise<Attempt> => {
        this.throwIfClosing();
        const replay = await this.start.replay(request, requestDigest);
        if (replay) return { handle: replay };
        const tried = await tryOnce();
        if ('handle' in tried && tried.joined)
          await this.start.recordJoin(tried.handle, request, requestDigest);
        return tried;
      });
      if ('handle' in result) return result.handle;
      await orAbort(result.waitFor, signal);
    }
  }

  /** @throws SHUTTING_DOWN */
  throwIfClosing(): void {
    if (this.#closing)
      throw new BerthError('SHUTTING_DOWN', 'berthd is stopping and takes no new operations');
  }
}

/** Undefined: somebody else was first, so look again. */
export function attempt(handle: OperationHandle | undefined): Attempt {
  return handle ? { handle } : { waitFor: Promise.resolve() };
}

async function orAbort(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return void (await work);
  let abort!: () => void;
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
