import type { ResetReceipt } from '../sandbox/execution.js';

export interface SandboxReset {
  sandboxId: string;
  receipt: ResetReceipt;
}

const KEPT = 20;

/** The newest reset receipts of a pool, those of resets that failed too. */
export class RecentResets {
  readonly #kept: SandboxReset[] = [];

  add(reset: SandboxReset): void {
    if (this.#kept.length === KEPT) this.#kept.shift();
    this.#kept.push(reset);
  }

  newestFirst(): SandboxReset[] {
    return [...this.#kept].reverse();
  }
}

/** The receipt of a reset that told nothing but that it failed. */
export function failedReceipt(why: string): ResetReceipt {
  return {
    ok: false,
    error: why,
    elapsedMs: 0,
    killedProcesses: 0,
    removedFiles: 0,
    removedBytes: 0,
    removedIpc: 0,
    remainingProcesses: 0,
    remainingFiles: 0,
    memoryBytes: 0,
    verifiedBy: 'runner',
    at: Date.now(),
    number: 0,
  };
}
