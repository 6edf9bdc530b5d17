import { setTimeout as delay } from 'node:timers/promises';
import { deferred } from '../../../lib/deferred.js';

/** A reader that is this far behind loses the end of the log; the removal does not wait longer for it. */
const LONGEST_MS = 3_000;

/** Which containers' logs are being read to their end, so that removal can wait for it. */
export class LogHolds {
  readonly #held = new Map<string, Set<Promise<void>>>();

  /** @returns the release, which may be called again */
  hold(containerId: string): () => void {
    const released = deferred();
    const holds = this.#held.get(containerId) ?? new Set();
    this.#held.set(containerId, holds.add(released.promise));
    return () => {
      holds.delete(released.promise);
      if (holds.size === 0 && this.#held.get(containerId) === holds) this.#held.delete(containerId);
      released.resolve();
    };
  }

  /** Resolves when nobody holds any of them, or when the time is over. */
  async released(containerIds: readonly string[]): Promise<void> {
    const holds = containerIds.flatMap((id) => [...(this.#held.get(id) ?? [])]);
    if (holds.length === 0) return;
    const over = new AbortController();
    const late = delay(LONGEST_MS, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([Promise.all(holds), late]);
    over.abort();
  }
}
