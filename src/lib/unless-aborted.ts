/**
 * What the promise gives, unless the signal is aborted first; the work behind the promise goes on, and how it ends is
 * nobody's concern then. `errorOf`: what to reject with; default: the signal's reason.
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  errorOf: (reason: unknown) => Error = (reason) => reason as Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(errorOf(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  });
}
