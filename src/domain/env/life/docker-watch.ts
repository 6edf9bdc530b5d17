import { isBerthError } from '../../errors.js';
import type { EnvEngine, ProjectEvent } from '../engine.js';

/** One subscription to the events of all envs, taken anew when Docker was away. */
export class DockerWatch {
  #subscription: { close(): void } | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;

  constructor(
    private readonly engine: EnvEngine,
    private readonly onEvent: (envId: string, event: ProjectEvent) => void,
    /** Events may have been missed. */
    private readonly onLost: () => void,
  ) {}

  /** Subscribes unless it is subscribed; while Docker is away it does nothing. */
  async ensure(): Promise<void> {
    if (this.#subscription || this.#closed) return;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    await this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  async #open(): Promise<void> {
    try {
      const subscription = await this.engine.watchAll(this.onEvent, () => {
        this.#subscription = undefined;
        this.onLost();
      });
      if (this.#closed) subscription.close();
      else this.#subscription = subscription;
    } catch (error) {
      if (!isBerthError(error, 'DOCKER_UNAVAILABLE')) throw error;
    }
  }
}
