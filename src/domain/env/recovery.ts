import { BerthError, messageOf } from '../errors.js';
import type { ActiveOperations } from './active-operations.js';
import type { Deployer } from './deployer.js';
import type { Run } from './operation-run.js';
import type { EnvServices } from './env-services.js';
import { containersOf } from './env-look.js';
import { ENDED_STATES, type Env, type Operation, type OperationError } from './model.js';
import { isRemoval } from './operation-end.js';
import { planOf } from './operation-input.js';
import type { Plan } from './plan.js';
import { keyText } from './requests.js';
import { newRun } from './operation-run.js';
import { newContext } from './steps/context.js';
import type { UndoRetries } from './undo-retries.js';

export interface RecoveryReport {
  /** Operations that had no terminal event and have one now. */
  ended: { operationId: string; envId: string; state: string }[];
  /** Operations of which something could still not be undone; reconcile tries again. */
  incomplete: { operationId: string; envId: string; messages: string[] }[];
}

/** What became of an operation that was taken up. */
interface TakenUp {
  /** What still could not be undone. */
  messages: string[];
  /** Settles when what was begun has ended; absent: it has. */
  finished?: Promise<void>;
}

const NOTHING_LEFT: TakenUp = { messages: [] };

/**
 * Takes up operations that were cut off (by a crash, or by the loss of the store) and undos that failed. What is
 * finished and what is undone says the operation's own plan, as it was committed when it began.
 *
 * `resume` is called under the lock of the env's key; `recover` takes it.
 */
export class Recovery {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly retries: UndoRetries,
  ) {}

  /**
   * See EnvOperations.recover.
   * @param options.undosNow try undos that failed before their time too
   */
  async recover({ undosNow = false }: { undosNow?: boolean } = {}): Promise<RecoveryReport> {
    const { store, locks } = this.services;
    const report: RecoveryReport = { ended: [], incomplete: [] };
    const errors: unknown[] = [];
    const unfinished = await store.listUnfinished();
    this.services.events.wakeAll();
    this.retries.begin(unfinished.map(({ id }) => id));
    for (const operation of unfinished) {
      if (!this.#planOf(operation)) continue;
      if (this.active.isKnown(operation.id)) {
        // Whoever asks for it wants to know what comes of it.
        const active = this.active.find(operation.envId);
        if (undosNow && active?.isRetry) await active.settled;
        continue;
      }
      if (operation.state === 'undo_incomplete' && !undosNow && !this.retries.isDue(operation.id)) continue;
      const env = await store.get(operation.tenant, operation.envId);
      if (!env || !this.#isHere(env)) continue;
      try {
        const ended = await locks.run(keyText(env), () => this.#takeUp(operation, env));
        // Without the lock, so that a destroy can cancel it.
        await ended.finished;
        await this.#report(operation, report);
      } catch (error) {
        // One that cannot be recovered must not keep the others from it.
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return report;
  }

  /**
   * Takes up what is unfinished of one env, before something else is done to it.
   * @param options.destroyFollows leave alone what a destroy removes anyway
   * @returns what the caller waits for, without the lock, before it looks at the env again; undefined: there was nothing
   */
  async resume(
    env: Env,
    options: { destroyFollows: boolean } = { destroyFollows: false },
  ): Promise<{ waitFor: Promise<unknown> } | undefined> {
    if (env.state === 'running' || env.state === 'stopped' || ENDED_STATES.includes(env.state))
      return undefined;
    if (env.state === 'broken' && options.destroyFollows) return undefined;
    if (!this.#isHere(env)) return undefined;
    const unfinished = (await this.services.store.listUnfinished()).filter(
      (operation) =>
        operation.envId === env.id &&
        !this.active.isKnown(operation.id) &&
        this.#planOf(operation) !== undefined,
    );
    for (const operation of unfinished) {
      const { messages, finished } = await this.#takeUp(operation, env);
      if (finished) return { waitFor: finished };
      if (messages.length > 0) {
        const cause = operation.error?.message ?? 'an earlier operation failed';
        throw new BerthError(
          'UNDO_INCOMPLETE',
          `${env.id} holds what an operation could not undo (${cause}): ${messages.join('; ')}`,
          { resource: { type: 'env', name: env.id } },
        );
      }
    }
    return unfinished.length > 0 ? { waitFor: Promise.resolve() } : undefined;
  }

  async #takeUp(stale: Operation, staleEnv: Env): Promise<TakenUp> {
    const { store } = this.services;
    // It may have ended between the listing and the lock.
    const operation = await store.getOperation(stale.id);
    const env = await store.get(staleEnv.tenant, staleEnv.id);
    const plan = operation && this.#planOf(operation);
    if (!operation || !env || !plan || this.active.find(env.id)) return NOTHING_LEFT;
    switch (operation.state) {
      case 'succeeded':
      case 'failed':
        return NOTHING_LEFT;
      case 'undo_incomplete':
        return { messages: await this.#retryUndo(operation, env, plan) };
      case 'running':
      case 'undoing':
        return await this.#finishOrUndo(operation, env, plan);
    }
  }

  /** Returns when it has begun. */
  async #finishOrUndo(operation: Operation, env: Env, plan: Plan): Promise<TakenUp> {
    const { engine, events, logger } = this.services;
    // Without Docker nothing can be finished and nothing be undone: this throws, and recovery comes again.
    const containers = await containersOf(env, engine);
    logger.warn(
      { envId: env.id, operationId: operation.id },
      `recovering a ${operation.kind} that was cut off`,
    );
    const steps = plan.steps.map((step) => step.name);
    await events.commit({
      events: [
        {
          envId: env.id,
          operationId: operation.id,
          body: { type: 'operation_started', kind: operation.kind, plan: steps, recovered: true },
        },
      ],
    });
    const work = await this.#workFor(operation, plan, containers === 'running');
    const run = newRun(operation, plan, newContext(env));
    const handle = { operationId: operation.id, env, afterSeq: 0 };
    const { settled } = this.active.launch(run, handle, work);
    return { messages: [], finished: settled.then(() => this.#mustHaveEnded(operation)) };
  }

  async #mustHaveEnded({ id, kind, envId }: Operation): Promise<void> {
    const after = await this.services.store.getOperation(id);
    if (after?.state !== 'running' && after?.state !== 'undoing') return;
    throw new BerthError('INTERNAL', `the ${kind} of ${envId} could not be recovered; the log says why`);
  }

  /** What is to be done with a cut-off operation. */
  async #workFor(
    operation: Operation,
    plan: Plan,
    containersRun: boolean,
  ): Promise<(deployer: Deployer, run: Run) => Promise<void>> {
    const checkpoints = await this.services.store.checkpoints(operation.id);
    if (operation.state === 'running' && plan.onCrash === 'finish') {
      return (deployer, run) => deployer.run(run);
    }
    const last = plan.steps.length - 1;
    const ready = plan.steps
      .slice(0, last)
      .every(
        (_, ordinal) => checkpoints.find((checkpoint) => checkpoint.ordinal === ordinal)?.state === 'done',
      );
    if (operation.state === 'running' && ready && containersRun) {
      return (deployer, run) => deployer.run(run, last);
    }
    const begun = checkpoints.at(-1)?.step ?? '';
    const cause: OperationError = operation.error ?? {
      reason: 'OPERATION_ABORTED',
      message: `berthd ended during the ${operation.kind}${begun && `, at the step ${begun}`}; what it had done is undone`,
      step: begun,
      logTail: [],
      undoErrors: [],
    };
    return (deployer, run) => deployer.undo(run, cause);
  }

  /** The operation has had its terminal event; what it left is tried again. */
  async #retryUndo(operation: Operation, env: Env, plan: Plan): Promise<string[]> {
    // An undo may be tried for as long as nothing else was made of the env: what is there then is not its own. A removal
    // is wanted whatever became of it.
    const isOver = isRemoval(operation.kind) ? ENDED_STATES.includes(env.state) : env.state !== 'broken';
    if (isOver) {
      await this.services.events.commit({ operation: { id: operation.id, state: 'failed' } });
      return [];
    }
    const run = newRun(operation, plan, newContext(env));
    const handle = { operationId: operation.id, env, afterSeq: 0 };
    let messages = ['the retry was cut off'];
    const work = async (deployer: Deployer, started: Run): Promise<void> => {
      messages = await (isRemoval(operation.kind)
        ? deployer.retryRemoval(started)
        : deployer.retryUndo(started));
    };
    await this.active.launch(run, handle, work, { isRetry: true }).settled;
    if (messages.length > 0) this.retries.failed(operation.id);
    return messages;
  }

  async #report(operation: Operation, report: RecoveryReport): Promise<void> {
    const now = await this.services.store.getOperation(operation.id);
    const { id: operationId, envId } = operation;
    if (now?.state === 'undo_incomplete') {
      report.incomplete.push({ operationId, envId, messages: now.error?.undoErrors ?? [] });
    } else if (now && now.state !== 'running' && now.state !== 'undoing') {
      report.ended.push({ operationId, envId, state: now.state });
    }
  }

  /** Where daemons on several hosts share a database, each settles what it did itself. */
  #isHere({ host }: Env): boolean {
    const { config } = this.services;
    return !config.otherHosts || host === config.host;
  }

  /** Undefined for another daemon's operation, and for one that this version cannot read. */
  #planOf(operation: Operation): Plan | undefined {
    try {
      return planOf(operation, this.services.config.owner);
    } catch (error) {
      const fields = { operationId: operation.id, envId: operation.envId };
      this.services.logger.error(fields, `an unfinished operation cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }
}
