import { isBerthError, messageOf } from '../errors.js';
import type { EnvClock } from './clock.js';
import type { EnvEventLog } from './event-log.js';
import { lifeAfter } from './life/after-success.js';
import type { Logger } from '../../telemetry/logger.js';
import { logTail } from './log-tail.js';
import {
  failureOf,
  failureState,
  isRemoval,
  OUTCOMES,
  retryFrom,
  stateChange,
  type Failure,
} from './operation-end.js';
import type { Checkpoint, OperationError } from './model.js';
import { joined, type OperationChange } from './operation-change.js';
import type { Run } from './operation-run.js';
import type { PlanStep } from './plan.js';
import type { StepDeps, StepResult } from './steps/context.js';
import { STEP_RUNS } from './steps/run.js';
import { UNDO_RUNS } from './steps/undo.js';
import type { EnvStore } from './store.js';

export interface DeployerDeps extends StepDeps {
  store: EnvStore;
  events: EnvEventLog;
  logger: Logger;
  clock: EnvClock;
}

/**
 * Carries plans out: commit the intent, run the step, commit the checkpoint with the events that tell of it, in one
 * transaction with the intent of the next step, or with the end: each step waits for the disk once. On a
 * failure it takes back what the checkpoints say, in reverse, uncancelled, each undo with its own time limit; errors of
 * the undo are joined to the first cause and never replace it. The last event of an operation is its terminal one, in
 * the same transaction as its end state.
 *
 * The undo reads the checkpoints from the store and nothing else: recovery after a crash runs the very same code.
 *
 * A method that throws has lost the store: the operation stays unfinished there, and recovery takes it up again.
 */
export class Deployer {
  constructor(private readonly deps: DeployerDeps) {}

  /**
   * Runs the plan to the terminal event.
   * @param from ordinal of the step to begin with; later than the first when a recovery finishes what was cut off
   */
  async run(run: Run, from = 0): Promise<void> {
    try {
      let next = from;
      for (let attempt = 1; ; attempt++) {
        const { failure, completed } = await this.#forward(run, next);
        if (!failure) return await this.#succeed(run, completed);
        const again = attempt < this.deps.config.portAttempts ? retryFrom(run, failure) : undefined;
        if (again === undefined) return await this.#fail(run, failure);
        const undoErrors = await this.#undo(run, again);
        if (undoErrors.length > 0) return await this.#end(run, failure, undoErrors);
        next = again;
      }
    } finally {
      run.context.watch?.close();
    }
  }

  /** Takes a cut-off or half-undone operation back to its terminal event. */
  async undo(run: Run, cause: OperationError): Promise<void> {
    await this.#fail(run, { error: cause, cancelled: false });
  }

  /**
   * Tries once more what an ended operation could not undo; it has had its terminal event already.
   * @returns the messages of what still cannot be undone
   */
  async retryUndo(run: Run): Promise<string[]> {
    const before = run.operation.error?.undoErrors ?? [];
    const errors = await this.#undo(run, 0, before);
    if (errors.length > 0) {
      const { error } = run.operation;
      const told = errors.join() === before.join();
      if (error && !told) {
        await this.#commit(run, {
          operation: 'undo_incomplete',
          error: { ...error, undoErrors: errors },
          events: [],
        });
      }
      return errors;
    }
    const state = failureState(run, await this.deps.store.checkpoints(run.operation.id));
    await this.#commit(run, {
      patch: { state, stateReason: run.operation.error?.message ?? '' },
      operation: 'failed',
      events: [
        {
          type: 'state_changed',
          from: run.context.env.state,
          state,
          reason: 'what was left of the failed operation is undone',
        },
      ],
    });
    return [];
  }

  /**
   * Does once more what a removal that failed has left to do. It has had its terminal event already, so what comes of its
   * steps is in the log, and only the env's new state is an event.
   * @returns the message of what still cannot be done
   */
  async retryRemoval(run: Run): Promise<string[]> {
    const { operation, plan } = run;
    for (const [ordinal, step] of plan.steps.entries()) {
      try {
        const {
          data = {},
          patch,
          removed = [],
        } = await STEP_RUNS[step.name](this.deps, run.context, run.signal);
        if (removed.length > 0)
          this.deps.logger.info(
            fields(run, { step: step.name, removed }),
            'what a failed removal left was removed',
          );
        await this.#commit(run, { patch, checkpoints: [{ ordinal, step, state: 'done', data }], events: [] });
      } catch (error) {
        if (isBerthError(error, 'STORE_UNAVAILABLE')) throw error;
        const message = `${step.name}: ${messageOf(error)}`;
        this.deps.logger.warn(
          fields(run, { step: step.name, err: error }),
          'a removal failed again; it is tried again',
        );
        if (operation.error && operation.error.undoErrors.join() !== message) {
          const told = { ...operation.error, undoErrors: [message] };
          await this.#commit(run, { operation: 'undo_incomplete', error: told, events: [] });
        }
        return [message];
      }
    }
    const state = plan.states.success;
    const reason = 'what the failed removal had left is removed';
    await this.#commit(run, {
      patch: { state, stateReason: plan.reason ?? reason },
      operation: 'failed',
      events: stateChange(run, state, reason),
    });
    return [];
  }

  /** @param completed what the last step left to be committed */
  async #succeed(run: Run, completed: OperationChange | undefined): Promise<void> {
    const { context, plan, timings } = run;
    context.env = { ...context.env, ...completed?.patch };
    const elapsedMs = since(run.beganAt);
    const { kind, decision, states } = plan;
    const outcome = OUTCOMES[decision];
    const state = states.success;
    const row = (await this.deps.store.get(context.env.tenant, context.env.id)) ?? context.env;
    const life = lifeAfter(run, row, this.deps.clock.now());
    await this.#commit(
      run,
      joined(completed, {
        patch: { state, stateReason: plan.reason ?? '', ...life.patch },
        operation: 'succeeded',
        // Of an attempt with another port.
        error: null,
        events: [
          ...stateChange(run, state, ''),
          ...life.events,
          { type: 'succeeded', kind, state, elapsedMs, timings, outcome, removed: run.removed },
        ],
      }),
    );
    this.deps.logger.info(fields(run, { state, elapsedMs }), `env ${kind} succeeded`);
  }

  /** @returns why it does not go on, or what the last step has left to be committed */
  async #forward(run: Run, from: number): Promise<{ failure?: Failure; completed?: OperationChange }> {
    const { steps } = run.plan;
    const total = steps.length;
    let completed: OperationChange | undefined;
    for (const [ordinal, step] of steps.entries()) {
      if (ordinal < from) continue;
      if (run.signal.aborted) {
        if (completed) await this.#commit(run, completed);
        return { failure: failureOf(run.signal.reason, step.name, true) };
      }
      await this.#commit(
        run,
        joined(completed, {
          checkpoints: [{ ordinal, step, state: 'intent', data: {} }],
          events: [{ type: 'step_started', step: step.name, ordinal, total }],
        }),
      );
      const startedAt = performance.now();
      let result: StepResult;
      try {
        result = await STEP_RUNS[step.name](this.deps, run.context, run.signal);
      } catch (error) {
        run.timings.push({ step: step.name, elapsedMs: since(startedAt) });
        return { failure: await this.#stepFailed(run, ordinal, error, since(startedAt)) };
      }
      const elapsedMs = since(startedAt);
      run.timings.push({ step: step.name, elapsedMs });
      const { detail, data, patch, warning, removed = [] } = result;
      run.removed.push(...removed);
      completed = {
        patch,
        checkpoints: [{ ordinal, step, state: 'done', data: data ?? {} }],
        events: [
          ...(warning ? [{ type: 'warning', ...warning } as const] : []),
          { type: 'step_completed', step: step.name, ordinal, total, elapsedMs, detail },
        ],
      };
    }
    return { completed };
  }

  async #stepFailed(run: Run, ordinal: number, error: unknown, elapsedMs: number): Promise<Failure> {
    const { steps } = run.plan;
    const step = steps[ordinal]!;
    const failure = failureOf(run.signal.aborted ? run.signal.reason : error, step.name, run.signal.aborted);
    if (failure.error.reason === 'INTERNAL') {
      this.deps.logger.error(fields(run, { step: step.name, err: error }), 'a step failed with a defect');
    }
    if (failure.cancelled) return failure;
    failure.error.logTail = await logTail(this.deps.engine, run.context.env.containerIds);
    const { reason, message, logTail: lines } = failure.error;
    await this.#commit(run, {
      operation: 'undoing',
      error: failure.error,
      events: [
        {
          type: 'step_failed',
          step: step.name,
          ordinal,
          total: steps.length,
          elapsedMs,
          reason,
          message,
          logTail: lines,
        },
      ],
    });
    return failure;
  }

  async #fail(run: Run, failure: Failure): Promise<void> {
    await this.#end(run, failure, await this.#undo(run, 0));
  }

  /**
   * Takes back every step from `from` on that was begun and not undone, the last one first.
   * @param known failures that were told of already: a retry that fails in the same way is no event again
   */
  async #undo(run: Run, from: number, known?: readonly string[]): Promise<string[]> {
    const errors: string[] = [];
    const begun = (await this.deps.store.checkpoints(run.operation.id))
      .filter((checkpoint) => checkpoint.ordinal >= from && checkpoint.state !== 'undone')
      .sort((a, b) => b.ordinal - a.ordinal);
    for (const checkpoint of begun) {
      const step = run.plan.steps[checkpoint.ordinal];
      if (!step || step.undo === 'none') continue;
      const error = await this.#undoStep(run, step, checkpoint, known);
      if (error !== undefined) errors.push(error);
    }
    return errors;
  }

  async #undoStep(
    run: Run,
    step: PlanStep,
    checkpoint: Checkpoint,
    known: readonly string[] | undefined,
  ): Promise<string | undefined> {
    const { ordinal } = checkpoint;
    const startedAt = performance.now();
    if (!known) await this.#commit(run, { events: [{ type: 'undo_started', step: step.name }] });
    try {
      const limit = AbortSignal.timeout(this.deps.config.undoTimeoutMs);
      const undone = UNDO_RUNS[step.undo](this.deps, run.context, checkpoint, limit);
      const { removed, patch } = await orAborted(undone, limit);
      run.context.project = step.undo === 'remove_directory' ? undefined : run.context.project;
      this.deps.logger.info(fields(run, { step: step.name, removed }), 'a step was undone');
      await this.#commit(run, {
        patch,
        checkpoints: [{ ordinal, step, state: 'undone' }],
        events: [{ type: 'undo_completed', step: step.name, elapsedMs: since(startedAt), removed }],
      });
      return undefined;
    } catch (error) {
      // It may be done and committed, and nothing that is said of it here would be kept.
      if (isBerthError(error, 'STORE_UNAVAILABLE')) throw error;
      const message = `${step.name}: ${messageOf(error)}`;
      this.deps.logger.warn(
        fields(run, { step: step.name, err: error }),
        'an undo failed; reconcile tries again',
      );
      await this.#commit(run, {
        checkpoints: [{ ordinal, step, state: 'undo_failed' }],
        events: known?.includes(message)
          ? []
          : [{ type: 'undo_failed', step: step.name, elapsedMs: since(startedAt), message }],
      });
      return message;
    }
  }

  /** Commits the terminal event of an operation that did not succeed. */
  async #end(run: Run, failure: Failure, undoErrors: string[]): Promise<void> {
    const { kind } = run.plan;
    const incomplete = undoErrors.length > 0 || (isRemoval(kind) && !failure.cancelled);
    const undone = failure.cancelled && run.stateWhenCancelled;
    const state = incomplete
      ? 'broken'
      : undone && run.plan.decision === 'create'
        ? undone
        : failureState(run, await this.deps.store.checkpoints(run.operation.id));
    const error: OperationError = { ...failure.error, undoErrors };
    const elapsedMs = since(run.beganAt);
    await this.#commit(run, {
      patch: { state, stateReason: error.message },
      operation: incomplete ? 'undo_incomplete' : 'failed',
      error: failure.cancelled ? { ...error, cancelled: true } : error,
      events: [
        ...stateChange(run, state, error.message),
        failure.cancelled
          ? { type: 'cancelled', kind, message: error.message, undoErrors, elapsedMs, timings: run.timings }
          : { type: 'failed', kind, error, elapsedMs, timings: run.timings },
      ],
    });
    const { reason, message, step } = error;
    this.deps.logger.warn(fields(run, { reason, message, step, undoErrors, state }), `env ${kind} failed`);
  }

  async #commit(run: Run, change: OperationChange): Promise<void> {
    const { operation, context } = run;
    const { patch, checkpoints = [] } = change;
    await this.deps.events.commit({
      env: patch && { id: context.env.id, patch },
      operation: change.operation && { id: operation.id, state: change.operation, error: change.error },
      checkpoints: checkpoints.map(({ ordinal, step, state, data }) => ({
        operationId: operation.id,
        ordinal,
        step: step.name,
        state,
        data,
      })),
      events: change.events.map((body) => ({ envId: context.env.id, operationId: operation.id, body })),
    });
    context.env = { ...context.env, ...patch };
  }
}

/** Milliseconds since a moment of `performance.now()`, whole. */
function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}

/** Waits for `work`, but not beyond the signal: an undo that hangs must not hold up the ones before it. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new Error('it took too long'));
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function fields({ operation, plan }: Run, more: object): object {
  return { envId: operation.envId, operationId: operation.id, kind: plan.kind, ...more };
}
