import { BerthError, messageOf } from '../errors.js';
import type { Run } from './operation-run.js';
import type { Checkpoint, Env, EnvEventBody, OperationError } from './model.js';
import type { Plan } from './plan.js';

/** Failures that another port may cure: Docker found the port, or its subnet, in use. */
const CURED_BY_ANOTHER_PORT = ['PORT_TAKEN', 'SUBNET_NONE_FREE'];

/** Why an operation does not go on. */
export interface Failure {
  error: OperationError;
  cancelled: boolean;
}

/** What the terminal event says of a plan that succeeded. */
export const OUTCOMES = {
  create: 'deployed',
  return_running: 'already_running',
  start_stopped: 'started',
  replace: 'replaced',
  stop: 'changed',
  start: 'changed',
  reset: 'changed',
  destroy: 'changed',
  unchanged: 'unchanged',
} as const satisfies Record<Plan['decision'], string>;

/** Whether the operation ends the env. */
export function isRemoval(kind: Plan['kind']): boolean {
  return kind === 'destroy' || kind === 'expire';
}

export function failureOf(thrown: unknown, step: string, cancelled: boolean): Failure {
  const reason = thrown instanceof BerthError ? thrown.reason : cancelled ? 'OPERATION_ABORTED' : 'INTERNAL';
  const { retryAfterMs, metadata } = thrown instanceof BerthError ? thrown : {};
  const details = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(metadata && { metadata }) };
  return {
    error: { reason, message: messageOf(thrown), step, logTail: [], undoErrors: [], ...details },
    cancelled,
  };
}

/** Where to begin again with another port; undefined when that does not help, or the port is not this plan's to choose. */
export function retryFrom(run: Run, failure: Failure): number | undefined {
  if (failure.cancelled || !CURED_BY_ANOTHER_PORT.includes(failure.error.reason)) return undefined;
  const claim = run.plan.steps.findIndex((step) => step.name === 'claim_port');
  if (claim < 0) return undefined;
  const { port } = run.context.env;
  if (port !== null) run.context.excludedPorts.add(port);
  return claim;
}

/** The state after a failure that was undone: as before, when the point of no return was not reached. */
export function failureState({ plan }: Run, checkpoints: Checkpoint[]): Env['state'] {
  const point = plan.pointOfNoReturn;
  if (!point || checkpoints.some((checkpoint) => checkpoint.step === point.step)) return plan.states.failure;
  return point.untouched;
}

/** The event of a new state; none when it is the old one. */
export function stateChange({ context }: Run, state: Env['state'], reason: string): EnvEventBody[] {
  return context.env.state === state
    ? []
    : [{ type: 'state_changed', from: context.env.state, state, reason }];
}
