// What WatchPools tells during a soak: counted, its order checked, and at the end compared with what GetPool says.
import { Wrong } from '../follow.mjs';

export class PoolWatch {
  /** How many events of each kind came. @type {Map<string, number>} */
  counts = new Map();
  /** Sandboxes that were told to exist, and not to be destroyed. */
  alive = new Set();
  #lastSeq = 0;
  #abort = new AbortController();
  #done;

  /**
   * @param {object[]} pools as they are now, at rest
   * @param {(what: string) => void} fail told when the stream is not as it should be
   */
  constructor(client, pools, fail) {
    for (const { sandboxes } of pools) for (const { sandboxId } of sandboxes) this.alive.add(sandboxId);
    this.#done = this.#follow(client).catch((error) => {
      if (!this.#abort.signal.aborted) fail(`WatchPools: ${error.message}`);
    });
  }

  async #follow(client) {
    const options = { signal: this.#abort.signal };
    for await (const { event } of client.pool.watchPools({ includeExecutions: true }, options))
      this.#take(event);
    throw new Wrong('the stream ended, and a watch does not end by itself');
  }

  #take({ seq, event }) {
    // A snapshot has the number of the event before it; filters leave gaps.
    const inOrder = event.$case === 'snapshot' ? seq >= this.#lastSeq : seq > this.#lastSeq;
    if (!inOrder) throw new Wrong(`event ${seq} (${event.$case}) came after event ${this.#lastSeq}`);
    this.#lastSeq = seq;
    this.counts.set(event.$case, (this.counts.get(event.$case) ?? 0) + 1);
    if (event.$case === 'sandboxCreated') this.alive.add(event.value.sandboxId);
    if (event.$case === 'sandboxDestroyed') this.alive.delete(event.value.sandboxId);
  }

  async stop() {
    this.#abort.abort();
    await this.#done;
  }
}
