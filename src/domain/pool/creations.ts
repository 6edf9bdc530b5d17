import { BerthError, messageOf } from '../errors.js';
import type { AnySandbox, SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { CreationBackoff } from './creation-backoff.js';
import type { BudgetClient, HostBudget, Promised } from './host-budget.js';

/** What a pool learns of its creations. */
export interface CreationListener {
  /** It is about to be asked for; `abort` ends it. */
  begun(id: string, abort: AbortController): void;
  created(id: string, sandbox: AnySandbox, tookMs: number): void;
  /** Nothing is left of it. */
  failed(id: string, error: BerthError): void;
  /** The time to wait after a failure is over. */
  retry(): void;
}

/**
 * Makes the sandboxes of one pool. Invariants: a container is asked for only once the budget has promised it, and the promise
 * is given back when nothing came of it; a creation ends within its time; after a failure none is begun until the back-off
 * is over, and failures side by side count as one.
 */
export class Creations implements BudgetClient {
  readonly backoff: CreationBackoff;
  /** What each costs. */
  readonly cost: Promised;

  constructor(
    private readonly options: {
      spec: SandboxSpec;
      factory: SandboxFactory;
      budget: HostBudget;
      createTimeoutMs: number;
      now: () => number;
      listener: CreationListener;
    },
  ) {
    this.backoff = new CreationBackoff(options.now, () => options.listener.retry());
    this.cost = costOf(options.spec);
  }

  budgetFreed(): void {
    this.options.listener.retry();
  }

  /**
   * Begins one, when the budget allows it. `needed`: how many those who wait lack in all.
   * @returns whether it did
   */
  begin(needed: number): boolean {
    const need = {
      memoryBytes: this.cost.memoryBytes * needed,
      cpuMillis: this.cost.cpuMillis * needed,
    };
    if (!this.options.budget.tryReserve(this, this.cost, need)) return false;
    const id = this.options.factory.newId();
    const abort = new AbortController();
    this.options.listener.begun(id, abort);
    void this.#create(id, abort);
    return true;
  }

  /** The pool wants nothing more for now. */
  withdraw(): void {
    this.options.budget.withdraw(this);
  }

  async #create(id: string, abort: AbortController): Promise<void> {
    const { factory, spec, budget, listener, createTimeoutMs } = this.options;
    const startedAt = performance.now();
    try {
      const sandbox = await createWithin(factory, id, spec, createTimeoutMs, abort);
      this.backoff.succeeded();
      listener.created(id, sandbox, performance.now() - startedAt);
    } catch (error) {
      budget.release(this.cost, false);
      listener.failed(id, error as BerthError);
    }
  }
}

/** What one sandbox of a spec is promised. Its memory file systems count as its memory. */
export function costOf({ limits }: SandboxSpec): Promised {
  return { memoryBytes: limits.memoryBytes, cpuMillis: limits.cpuMillis };
}

/** A sandbox within the time. @throws BerthError what the factory throws, or SANDBOX_CREATE_FAILED; nothing is left then */
export async function createWithin(
  factory: SandboxFactory,
  id: string,
  spec: SandboxSpec,
  timeoutMs: number,
  abort: AbortController,
): Promise<AnySandbox> {
  const overdue = new BerthError(
    'SANDBOX_CREATE_FAILED',
    `no sandbox was ready within ${timeoutMs} ms; Docker is slow, or the image's runner does not answer`,
  );
  const timer = setTimeout(() => abort.abort(overdue), timeoutMs);
  try {
    return await factory.create(id, spec, abort.signal);
  } catch (error) {
    if (abort.signal.reason === overdue) throw overdue;
    if (error instanceof BerthError) throw error;
    throw new BerthError('SANDBOX_CREATE_FAILED', `no sandbox could be created: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
