import { z } from 'zod';
import type { Operation } from './model.js';
import type { Plan, StepName, UndoName } from './plan.js';
import { STEP_RUNS } from './steps/run.js';
import { UNDO_RUNS } from './steps/undo.js';

const state = z.enum([
  'deploying',
  'running',
  'stopping',
  'stopped',
  'starting',
  'resetting',
  'destroying',
  'broken',
  'failed',
  'destroyed',
]);

const schema = z.object({
  owner: z.string(),
  plan: z.object({
    kind: z.enum(['deploy', 'stop', 'start', 'reset', 'destroy', 'expire']),
    decision: z.enum([
      'create',
      'return_running',
      'start_stopped',
      'replace',
      'stop',
      'start',
      'reset',
      'destroy',
      'unchanged',
    ]),
    steps: z.array(
      z.object({
        name: z.custom<StepName>((name) => typeof name === 'string' && Object.hasOwn(STEP_RUNS, name)),
        undo: z.custom<UndoName>((name) => typeof name === 'string' && Object.hasOwn(UNDO_RUNS, name)),
      }),
    ),
    states: z.object({ during: state, success: state, failure: state }),
    pointOfNoReturn: z
      .object({
        step: z.custom<StepName>((name) => typeof name === 'string' && Object.hasOwn(STEP_RUNS, name)),
        untouched: state,
      })
      .optional(),
    onCrash: z.enum(['undo', 'finish']),
    readyTimeoutMs: z.number().optional(),
    queueTimeoutMs: z.number().optional(),
    reason: z.string().optional(),
    byItself: z.boolean().optional(),
    life: z
      .object({
        ttlMs: z.number(),
        idleTimeoutMs: z.number(),
        restartPolicy: z.enum(['unless_stopped', 'no']),
        labels: z.record(z.string(), z.string()),
      })
      .optional(),
  }),
});

/** What recovery needs of an operation: whose it is, and its plan. No app content, no variables: no secrets. */
export function operationInput(owner: string, plan: Plan): Record<string, unknown> {
  return { owner, plan };
}

/** Undefined when the input is not of this daemon. @throws ZodError when it is not as this version writes it */
export function planOf(operation: Operation, owner: string): Plan | undefined {
  if (operation.input['owner'] !== owner) return undefined;
  const { plan } = schema.parse(operation.input);
  const { readyTimeoutMs, queueTimeoutMs, reason, byItself, life, ...rest } = plan;
  return {
    ...rest,
    pointOfNoReturn: plan.pointOfNoReturn,
    ...(readyTimeoutMs !== undefined && { readyTimeoutMs }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(reason !== undefined && { reason }),
    ...(byItself !== undefined && { byItself }),
    ...(life !== undefined && { life }),
  };
}
