import type { Checkpoint, EnvEventBody, Operation, OperationError } from './model.js';
import type { PlanStep } from './plan.js';
import type { EnvPatch } from './store.js';

/** What one transaction of an operation changes of its env, of itself and of its checkpoints, and the events that tell. */
export interface OperationChange {
  patch?: EnvPatch;
  operation?: Operation['state'];
  /** Null: none any more. */
  error?: OperationError | null;
  checkpoints?: {
    ordinal: number;
    step: PlanStep;
    state: Checkpoint['state'];
    data?: Record<string, unknown>;
  }[];
  events: EnvEventBody[];
}

/** Both in one transaction, told in this order. */
export function joined(before: OperationChange | undefined, change: OperationChange): OperationChange {
  if (!before) return change;
  return {
    ...change,
    patch: before.patch || change.patch ? { ...before.patch, ...change.patch } : undefined,
    checkpoints: [...(before.checkpoints ?? []), ...(change.checkpoints ?? [])],
    events: [...before.events, ...change.events],
  };
}
