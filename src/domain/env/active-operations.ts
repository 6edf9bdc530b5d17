import { BerthError, messageOf } from '../errors.js';
import type { EnvConfig } from './config.js';
import type { Deployer } from './deployer.js';
import type { Run } from './operation-run.js';
import type { EnvEventLog, OperationHandle } from './event-log.js';
import type { Logger } from '../../telemetry/logger.js';
import { Slots } from './slots.js';

/** When it is worth another try after waiting in vain. */
const QUEUE_RETRY_MS = 30_000;

/** An operation that this daemon is carrying out. */
export interface ActiveOperation {
  readonly run: Run;
  readonly handle: OperationHandle;
  /** Resolves when it has ended, well or not. */
  readonly settled: Promise<void>;
  /** It waits for a place. */
  readonly queued: boolean;
  /** It has had its terminal event, and what it left is tried again: nobody can join it. */
  readonly isRetry: boolean;
  cancel(reason: BerthError): void;
}

/**
 * The operations under way in this daemon, at most one for an env. They belong to the daemon, not to the call that began
 * them. Deployments wait here for a place.
 */
export class ActiveOperations {
  readonly #byEnv = new Map<string, ActiveOperation>();
  /** Ids that are about to be committed, so that a recovery that reads them then leaves them alone. */
  readonly #known = new Set<string>();
  readonly #slots: Slots;
  #reserved = 0;

  constructor(
    private readonly deployer: Deployer,
    private readonly events: EnvEventLog,
    private readonly logger: Logger,
    private readonly config: Pick<
      EnvConfig,
      'maxConcurrentOperations' | 'maxQueuedOperations' | 'queueTimeoutMs'
    >,
    /** Called when an operation was cut off, by the loss of the store: recovery has to take it up. */
    private readonly onCutOff: () => void,
  ) {
    this.#slots = new Slots(config.maxConcurrentOperations);
  }

  /**
   * Keeps room for a deployment that is about to be launched: one of the places, or one in the queue for them. The
   * result gives it up again, in the moment in which it is launched, or when it will not be. @throws QUEUE_FULL
   */
  reserve(): () => void {
    const { maxConcurrentOperations, maxQueuedOperations } = this.config;
    if (this.#slots.asked + this.#reserved >= maxConcurrentOperations + maxQueuedOperations)
      throw queueFull(maxQueuedOperations);
    this.#reserved++;
    let isKept = true;
    return () => {
      if (isKept) this.#reserved--;
      isKept = false;
    };
  }

  find(envId: string): ActiveOperation | undefined {
    return this.#byEnv.get(envId);
  }

  all(): ActiveOperation[] {
    return [...this.#byEnv.values()];
  }

  /** Announces an operation before it is committed. */
  announce(operationId: string): void {
    this.#known.add(operationId);
  }

  forget(operationId: string): void {
    this.#known.delete(operationId);
  }

  /** Nobody knows whether its beginning was committed: recovery finds out, and takes it up where it was. */
  lose(operationId: string): void {
    this.forget(operationId);
    this.onCutOff();
  }

  isKnown(operationId: string): boolean {
    return this.#known.has(operationId);
  }

  /**
   * Carries an operation out in the background. `work` is how: run its plan, or undo it.
   * The env must have no other active operation.
   * @param options.isRetry see ActiveOperation
   */
  launch(
    run: Omit<Run, 'signal'>,
    handle: OperationHandle,
    work: (deployer: Deployer, run: Run) => Promise<void>,
    { isRetry = false }: { isRetry?: boolean } = {},
  ): ActiveOperation {
    const envId = run.operation.envId;
    if (this.#byEnv.has(envId)) throw new Error(`env ${envId} has an active operation already`);
    this.announce(run.operation.id);
    const controller = new AbortController();
    const started: Run = { ...run, signal: controller.signal };
    const wait = { queued: false };
    const settled = this.#carryOut(started, wait, work).then((cutOff) => {
      this.#byEnv.delete(envId);
      this.forget(run.operation.id);
      if (cutOff) this.onCutOff();
    });
    const active = {
      run: started,
      handle,
      settled,
      isRetry,
      get queued() {
        return wait.queued;
      },
      cancel: (reason: BerthError) => controller.abort(reason),
    };
    this.#byEnv.set(envId, active);
    return active;
  }

  /** @returns whether it was cut off */
  async #carryOut(
    run: Run,
    wait: { queued: boolean },
    work: (deployer: Deployer, run: Run) => Promise<void>,
  ): Promise<boolean> {
    const { operation, plan } = run;
    try {
      const waits = plan.kind === 'deploy' && plan.steps.length > 0;
      const release = waits ? await this.#place(run, wait) : () => {};
      // It had its terminal event in the queue.
      if (!release) return false;
      try {
        await work(this.deployer, run);
      } finally {
        release();
      }
      return false;
    } catch (error) {
      // Only the store's loss comes here, or a defect. What is committed stands; recovery takes the operation up again.
      this.logger.error(
        { envId: operation.envId, operationId: operation.id, err: error },
        `env ${plan.kind} was cut off, recovery will finish it: ${messageOf(error)}`,
      );
      return true;
    }
  }

  /** @returns the release of its place; undefined when it waited for too long and has failed */
  async #place(run: Run, wait: { queued: boolean }): Promise<(() => void) | undefined> {
    const timeoutMs = run.plan.queueTimeoutMs ?? this.config.queueTimeoutMs;
    try {
      return await this.#slots.take(run.signal, {
        timeoutMs,
        timedOut: () => queueTimeout(timeoutMs, this.config.maxConcurrentOperations),
        onPosition: (position, running) => {
          wait.queued = true;
          return this.#queued(run, position, running);
        },
      });
    } catch (error) {
      if (!(error instanceof BerthError) || error.reason !== 'QUEUE_TIMEOUT') throw error;
      const { reason, message, retryAfterMs } = error;
      await this.deployer.undo(run, { reason, message, step: '', logTail: [], undoErrors: [], retryAfterMs });
      return undefined;
    } finally {
      wait.queued = false;
    }
  }

  async #queued(run: Run, position: number, running: number): Promise<void> {
    const { id, envId } = run.operation;
    const reason = `${running} deployments are under way, as many as may be at once`;
    const body = { type: 'queued', position, running, reason } as const;
    await this.events.commit({ events: [{ envId, operationId: id, body }] });
  }
}

function queueFull(places: number): BerthError {
  return new BerthError(
    'QUEUE_FULL',
    `all ${places} places of the queue for deployments are taken; try again later`,
    {
      quota: [{ subject: 'waiting deployments', description: `all ${places} places of the queue are taken` }],
      retryAfterMs: QUEUE_RETRY_MS,
    },
  );
}

function queueTimeout(timeoutMs: number, places: number): BerthError {
  return new BerthError(
    'QUEUE_TIMEOUT',
    `it waited ${timeoutMs} ms for one of the ${places} places for deployments; nothing was done, try again later`,
    { retryAfterMs: QUEUE_RETRY_MS },
  );
}
