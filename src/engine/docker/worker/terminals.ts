import type Docker from 'dockerode';

const MAX_REMEMBERED = 1_000;

/**
 * Which containers have a terminal, since Docker sends the log of these without frames and says so nowhere. A container
 * keeps what it was made with, and its log is opened again and again while it is followed: the latest are remembered.
 */
export class Terminals {
  readonly #known = new Map<string, boolean>();

  /** @throws what the client throws */
  async has(docker: Docker, containerId: string, abortSignal: AbortSignal): Promise<boolean> {
    const known = this.#known.get(containerId);
    if (known !== undefined) return known;
    const { Config } = await docker.getContainer(containerId).inspect({ abortSignal });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < MAX_REMEMBERED) break;
      this.#known.delete(oldest);
    }
    this.#known.set(containerId, Config.Tty);
    return Config.Tty;
  }
}
