import type { LiveExecution } from './live-execution.js';

export interface RegistryOptions {
  /** How long the events of an ended execution are kept. Milliseconds. */
  retainMs: number;
  /** Memory that the events of ended executions may take together; those that nobody reads, longest ended, go first. Bytes. */
  retainTotalBytes: number;
}

interface Kept {
  until: number;
  /** As counted when it ended. */
  bytes: number;
}

/** What an ended execution takes besides its events. */
const OWN_BYTES = 1_024;

/**
 * The executions whose events can be read: those that have not ended, and those that ended a while ago. One timer for all:
 * they leave in the order in which they ended.
 */
export class ExecutionRegistry {
  readonly #byId = new Map<string, LiveExecution>();
  /** Those that have ended, longest ended first. */
  readonly #ended = new Map<LiveExecution, Kept>();
  #endedBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: RegistryOptions) {}

  /** Number of executions that have not ended. */
  get running(): number {
    return this.#byId.size - this.#ended.size;
  }

  all(): IterableIterator<LiveExecution> {
    return this.#byId.values();
  }

  /** One of the tenant's. */
  get(tenant: string, id: string): LiveExecution | undefined {
    const execution = this.#byId.get(id);
    return execution?.tenant === tenant ? execution : undefined;
  }

  add(execution: LiveExecution): void {
    this.#byId.set(execution.id, execution);
    void execution.over.then(() => this.#keep(execution));
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const execution of this.#ended.keys()) this.#forget(execution);
  }

  #keep(execution: LiveExecution): void {
    const bytes = OWN_BYTES + execution.log.bytes;
    this.#ended.set(execution, { until: Date.now() + this.options.retainMs, bytes });
    this.#endedBytes += bytes;
    // Many that nobody reads must not cut off the few that somebody does.
    this.#makeRoom((ended) => !ended.log.isBeingRead);
    this.#makeRoom(() => true);
    this.#arm();
  }

  #makeRoom(mayGo: (ended: LiveExecution) => boolean): void {
    for (const oldest of this.#ended.keys()) {
      if (this.#endedBytes <= this.options.retainTotalBytes) return;
      if (mayGo(oldest)) this.#forget(oldest);
    }
  }

  #arm(): void {
    const [next] = this.#ended.values();
    if (next === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(next.until - Date.now(), 0) + 1).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = Date.now();
    for (const [execution, kept] of this.#ended) {
      if (kept.until > now) break;
      // Its time begins anew while a reader makes its way through it.
      if (execution.log.takeWasRead()) {
        this.#ended.delete(execution);
        this.#ended.set(execution, { ...kept, until: now + this.options.retainMs });
      } else this.#forget(execution);
    }
    this.#arm();
  }

  #forget(execution: LiveExecution): void {
    this.#endedBytes -= this.#ended.get(execution)?.bytes ?? 0;
    this.#ended.delete(execution);
    this.#byId.delete(execution.id);
    execution.log.dispose();
  }
}
