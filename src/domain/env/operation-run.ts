import type { Operation, StepTiming, UndoneThing } from './model.js';
import type { Plan } from './plan.js';
import type { StepContext } from './steps/context.js';

/** One operation being carried out. */
export interface Run {
  operation: Operation;
  plan: Plan;
  context: StepContext;
  /** Aborted with a BerthError when the operation is cancelled. Undo does not listen to it. */
  signal: AbortSignal;
  /** When this life of the daemon took it up, by `performance.now()`. */
  beganAt: number;
  /** Steps that came to an end since, failed ones too. */
  timings: StepTiming[];
  /** What steps removed since. */
  removed: UndoneThing[];
  /** State of the env after a cancel was undone; else the plan's. */
  stateWhenCancelled?: 'destroyed';
}

/** A run that begins now. */
export function newRun(operation: Operation, plan: Plan, context: StepContext): Omit<Run, 'signal'> {
  context.readyTimeoutMs = plan.readyTimeoutMs;
  context.life = plan.life;
  return { operation, plan, context, beganAt: performance.now(), timings: [], removed: [] };
}
