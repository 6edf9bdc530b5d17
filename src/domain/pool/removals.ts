import type { Logger } from '../../telemetry/logger.js';
import type { Haste } from '../sandbox/engine.js';
import type { AnySandbox } from '../sandbox/sandbox.js';
import type { HostBudget, Promised } from './host-budget.js';

const REMOVE_AGAIN_MS = 5_000;

/**
 * Removes sandboxes, trying until the container is gone: until then it counts, in its pool and in the budget. Once `stop` was
 * called, what cannot be removed is left to the next boot, which finds it by its label.
 */
export class Removals {
  #stopped = false;

  constructor(
    private readonly budget: HostBudget,
    private readonly log: Logger,
  ) {}

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when it is gone, or given up. Never rejects. */
  async remove(sandbox: AnySandbox, cost: Promised, haste: Haste): Promise<void> {
    this.budget.leaves(cost);
    for (;;) {
      try {
        await sandbox.destroy(haste);
        break;
      } catch (error) {
        this.log.error(
          { event: 'sandbox_destroy_failed', sandbox: sandbox.id, err: error },
          'a sandbox could not be removed yet',
        );
        if (this.#stopped) break;
        await new Promise<void>((resolve) => setTimeout(resolve, REMOVE_AGAIN_MS).unref());
      }
    }
    this.budget.release(cost, true);
  }
}
