import { describe, expect, it } from 'vitest';
import { deferred } from '../../../src/lib/deferred.js';
import { unlessAborted } from '../../../src/lib/unless-aborted.js';

describe('unlessAborted', () => {
  it('gives what the promise gives', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it('rejects with the abort, and the work may fail later without anybody listening', async () => {
    for (const abortFirst of [true, false]) {
      const work = deferred();
      const abort = new AbortController();
      if (abortFirst) abort.abort(new Error('gone'));
      const result = unlessAborted(work.promise, abort.signal);
      abort.abort(new Error('gone'));
      await expect(result).rejects.toThrow('gone');
      // Vitest fails the run on an unhandled rejection.
      work.reject(new Error('too late'));
    }
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('says why in the words of the one who waits', async () => {
    const result = unlessAborted(
      deferred().promise,
      AbortSignal.abort('why'),
      (reason) => new Error(`it was ${reason as string}`),
    );
    await expect(result).rejects.toThrow('it was why');
  });
});
