import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Steps over the range so that neighbours are not taken one after the other; a prime, so that each port has its turn. */
const STRIDE = 7;
/** How long a port is held in passing, and how many at once. */
const HOLD_MS = 120;
const HANDS = 2;

/** Another process of the host that wants the same ports: takes them, and gives them back. */
export class PortThief {
  readonly #held = new Map<number, Server>();
  readonly #roams = new AbortController();
  readonly #roaming: Promise<void>;
  /** Ports that it got. */
  takings = 0;

  /** Roams over the range until it is stopped. */
  constructor(
    private readonly range: { first: number; last: number },
    private readonly host: string,
  ) {
    this.#roaming = this.#roam();
  }

  /** @returns whether it got the port; not where an env, or somebody else, was first */
  async take(port: number): Promise<boolean> {
    if (this.#held.has(port)) return true;
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen({ port, host: this.host, exclusive: true });
      await once(server, 'listening');
    } catch {
      return false;
    }
    this.#held.set(port, server);
    this.takings++;
    return true;
  }

  async giveBack(port: number): Promise<void> {
    const server = this.#held.get(port);
    if (server === undefined) return;
    this.#held.delete(port);
    server.close();
    await once(server, 'close');
  }

  /** Gives everything back. */
  async stop(): Promise<void> {
    this.#roams.abort();
    await this.#roaming;
    await Promise.all([...this.#held.keys()].map((port) => this.giveBack(port)));
  }

  async #roam(): Promise<void> {
    const { first, last } = this.range;
    const passing: number[] = [];
    for (let n = 0; !this.#roams.signal.aborted; n++) {
      const port = first + ((n * STRIDE) % (last - first + 1));
      if (!this.#held.has(port) && (await this.take(port))) passing.push(port);
      if (passing.length > HANDS) await this.giveBack(passing.shift()!);
      await sleep(HOLD_MS, undefined, { signal: this.#roams.signal }).catch(() => {});
    }
  }
}
