import type { EnvState } from './model.js';

/** What an operation does in each state of the env, before it looks at anything else. */
export type Admission =
  /** Plan and begin. */
  | 'begin'
  /** The env is as asked for. */
  | 'unchanged'
  /** Another operation is under way: join it when it is the same, else wait for its end and look again. */
  | 'wait'
  /** As `wait`, after cancelling it. */
  | 'cancel_and_wait'
  /** ENV_STATE. */
  | 'refuse';

/** What can be asked for of an env that is there. */
export type SimpleKind = 'stop' | 'start' | 'reset' | 'destroy' | 'expire';

const ADMISSION: Record<SimpleKind, Record<EnvState, Admission>> = {
  stop: {
    deploying: 'wait',
    running: 'begin',
    stopping: 'wait',
    stopped: 'unchanged',
    starting: 'wait',
    resetting: 'wait',
    destroying: 'wait',
    broken: 'refuse',
    failed: 'refuse',
    destroyed: 'refuse',
  },
  start: {
    deploying: 'wait',
    // Looks whether the containers do run, and starts them when they do not.
    running: 'begin',
    stopping: 'wait',
    stopped: 'begin',
    starting: 'wait',
    resetting: 'wait',
    destroying: 'wait',
    broken: 'refuse',
    failed: 'refuse',
    destroyed: 'refuse',
  },
  reset: {
    deploying: 'wait',
    running: 'begin',
    stopping: 'wait',
    stopped: 'begin',
    starting: 'wait',
    resetting: 'wait',
    destroying: 'wait',
    broken: 'begin',
    failed: 'refuse',
    destroyed: 'refuse',
  },
  destroy: {
    deploying: 'cancel_and_wait',
    running: 'begin',
    stopping: 'wait',
    stopped: 'begin',
    starting: 'cancel_and_wait',
    resetting: 'cancel_and_wait',
    destroying: 'wait',
    broken: 'begin',
    failed: 'unchanged',
    destroyed: 'unchanged',
  },
  // Nobody is in a hurry: whatever is under way may mean that the env is wanted.
  expire: {
    deploying: 'refuse',
    running: 'begin',
    stopping: 'refuse',
    stopped: 'begin',
    starting: 'refuse',
    resetting: 'refuse',
    destroying: 'refuse',
    broken: 'begin',
    failed: 'refuse',
    destroyed: 'refuse',
  },
};

export function admission(kind: SimpleKind, state: EnvState): Admission {
  return ADMISSION[kind][state];
}
