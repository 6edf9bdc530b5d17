import { setImmediate as turn } from 'node:timers/promises';
import { unlessAborted } from '../../lib/unless-aborted.js';
import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import { newId } from '../ids.js';
import type { Lease } from '../pool/lease.js';
import type { PoolManager } from '../pool/pool-manager.js';
import { endedBody } from './execution-end.js';
import type { ExecutionRequest, StartedBody } from './execution.js';
import type { SpillSpace } from './history-spill.js';
import { LiveExecution } from './live-execution.js';
import { RequestOnce, type RequestOnceOptions } from './request-once.js';
import type { JobEnd } from './runner-session.js';
import type { AnySandbox } from './sandbox.js';
import { live, recorded, type Submitted } from './submitted.js';

export interface ExecutorOptions extends RequestOnceOptions {
  pools: Pick<PoolManager, 'acquire'>;
  logger: Logger;
  /** Bytes of events kept in memory for each execution. */
  retainBytes: number;
  spill: SpillSpace;
  /** Input of all executions that wait for a sandbox; beyond it new ones are refused. Bytes. */
  maxWaitingBytes: number;
}

/** Output that a sandbox may send before a reader has taken it. Bytes. */
const OUTPUT_CREDIT = 512 * 1024;
/** Time past a limit or a cancel after which a runner that says nothing is given up. Milliseconds. */
const RUNNER_GRACE_MS = 5_000;

/**
 * Runs code. The hot path is here: lease, one frame, stream; no disk and no database before the code starts, unless the
 * request is `durable`. What a repeated `request_id` comes to is in `RequestOnce`.
 */
export class Executor {
  readonly #once: RequestOnce;
  readonly #running = new Map<LiveExecution, Promise<void>>();
  readonly #inUse = new Set<AnySandbox>();
  /** Input of those that wait for a sandbox. They need no open call, so that nothing else bounds them. */
  #waitingBytes = 0;
  #closed = false;

  constructor(private readonly options: ExecutorOptions) {
    this.#once = new RequestOnce(options, {
      admit: () => this.#refuseWhenClosedOrFull(),
      make: (request, id) => this.#make(request, id),
      start: (execution) => this.#run(execution),
    });
  }

  /** Number of executions that have not ended. */
  get running(): number {
    return this.options.registry.running;
  }

  /**
   * Starts an execution, or finds the one that this request id started before.
   * @throws BerthError REQUEST_ID_REUSED, SHUTTING_DOWN, OVERLOADED; STORE_UNAVAILABLE where the store must be asked. What happens later
   * is told by the execution's events.
   */
  async execute(request: ExecutionRequest): Promise<Submitted> {
    if (request.requestId !== '') return this.#once.submit(request);
    this.#refuseWhenClosedOrFull();
    return this.#run(this.#make(request));
  }

  /** The events of an execution behind `afterSeq`. @throws BerthError EXECUTION_NOT_FOUND, STORE_UNAVAILABLE */
  async attach(tenant: string, executionId: string): Promise<Submitted> {
    const { registry, directory } = this.options;
    const execution = registry.get(tenant, executionId);
    if (execution !== undefined) return live(execution, false);
    return recorded((await directory.get(tenant, executionId)).record, false);
  }

  /**
   * Ends an execution, and resolves when it has ended; one that has ended already stays as it is. `graceMs` is what its main
   * process gets between SIGTERM and the kill.
   * @throws BerthError EXECUTION_NOT_FOUND, EXECUTION_ELSEWHERE, REQUEST_ID_REUSED, STORE_UNAVAILABLE, CANCELLED
   */
  async cancel(
    tenant: string,
    executionId: string,
    graceMs: number,
    request: { requestId: string; digest: string },
    signal?: AbortSignal,
  ): Promise<void> {
    this.#once.useForCancel(tenant, executionId, request);
    const execution = this.options.registry.get(tenant, executionId);
    if (execution !== undefined) {
      execution.cancel('requested', graceMs);
      if (signal === undefined) return execution.over;
      return unlessAborted(
        execution.over,
        signal,
        () => new BerthError('CANCELLED', 'the caller stopped waiting; the cancel goes on'),
      );
    }
    const { record } = await this.options.directory.get(tenant, executionId);
    if (record.state === 'queued' || record.state === 'running')
      throw new BerthError(
        'EXECUTION_ELSEWHERE',
        `execution ${executionId} is run by another berthd on the same database; cancel it there`,
        { resource: { type: 'execution', name: executionId } },
      );
  }

  /** Takes no more work, lets what runs finish within the limit, then cancels it, then takes its sandbox away. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const all = Promise.all(this.#running.values());
    if (!(await within(all, graceMs))) {
      for (const execution of this.#running.keys()) execution.cancel('shutdown');
      // Whose runner does not even answer that loses its sandbox.
      if (!(await within(all, 2 * RUNNER_GRACE_MS)))
        for (const sandbox of this.#inUse) this.#destroy(sandbox);
      await all;
    }
  }

  #make(request: ExecutionRequest, id: string = newId('exec')): LiveExecution {
    const { retainBytes, spill } = this.options;
    return new LiveExecution(id, request, { retainBytes, spill });
  }

  #refuseWhenClosedOrFull(): void {
    if (this.#closed)
      throw new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back', {
        retryAfterMs: 5_000,
      });
    const { maxWaitingBytes } = this.options;
    if (this.#waitingBytes >= maxWaitingBytes)
      throw new BerthError(
        'OVERLOADED',
        `executions that wait for a sandbox hold ${this.#waitingBytes} bytes of input, the most is ${maxWaitingBytes} (execution.maxWaitingBytes); try again when some have begun`,
        { retryAfterMs: 1_000 },
      );
  }

  #run(execution: LiveExecution): Submitted {
    const { registry, recorder } = this.options;
    registry.add(execution);
    recorder.note(execution);
    const finished = this.#runToEnd(execution).finally(() => this.#running.delete(execution));
    this.#running.set(execution, finished);
    return live(execution, false);
  }

  /** Never throws: what goes wrong ends the execution. Resolves when its sandbox is given back. */
  async #runToEnd(execution: LiveExecution): Promise<void> {
    const { recorder, logger } = this.options;
    let lease: Lease | undefined;
    try {
      lease = await this.#acquire(execution);
      lease.onRevoked = () => execution.cancel('sandbox_deleted');
      const { receipt } = lease.sandbox;
      const end = await this.#runIn(lease, execution);
      const { cancelCause, wasAsked, seen } = execution;
      execution.end(endedBody(end, { cancelCause, wasAsked, receipt, seen }));
    } catch (error) {
      const known =
        error instanceof BerthError
          ? error
          : new BerthError('INTERNAL', `the execution could not be started: ${messageOf(error)}`, {
              cause: error,
            });
      if (known.reason === 'INTERNAL')
        logger.error({ execution: execution.id, err: error }, 'an execution failed inside Berth');
      execution.fail(known);
    } finally {
      recorder.note(execution);
      if (lease !== undefined) {
        // Its readers first: what comes behind an execution takes as long as telling them of its end.
        await turn();
        lease.release();
      }
    }
  }

  async #acquire({ request, signal, log }: LiveExecution): Promise<Lease> {
    const bytes = inputBytes(request);
    this.#waitingBytes += bytes;
    try {
      return await this.options.pools.acquire(request, {
        signal,
        ...(request.progress && {
          onProgress: (progress) => log.append({ type: 'progress', ...progress }),
        }),
      });
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  async #runIn(lease: Lease, execution: LiveExecution): Promise<JobEnd> {
    const { request } = execution;
    // Not the request itself: what lives as long as the execution must not hold on to its input.
    const { limits, language } = request;
    const { sandbox } = lease;
    let hasStarted = false;
    const started = (startPath: StartedBody['startPath'], startPathReason: string): void => {
      hasStarted = true;
      execution.started({
        type: 'started',
        sandboxId: sandbox.id,
        poolId: lease.poolId,
        engine: sandbox.engineName,
        servedBy: lease.servedBy,
        servedReason: lease.servedReason,
        isolation: sandbox.spec.isolation,
        poolHit: lease.hit,
        missReason: lease.missReason,
        acquireMs: lease.waitMs,
        startPath,
        startPathReason,
        image: `${sandbox.spec.image}@${sandbox.spec.imageDigest}`,
        language,
        languageVersion: sandbox.languageVersion,
        limitsEnforced: sandbox.limitsEnforced,
      });
      this.options.recorder.note(execution);
    };
    const job = sandbox.start(
      {
        isCommand: request.isCommand,
        language,
        code: request.code,
        argv: request.argv,
        entry: request.entry,
        cwd: request.cwd,
        env: request.env,
        files: request.files,
        stdin: request.stdin,
        limits,
        outputCredit: OUTPUT_CREDIT,
      },
      {
        onStarted: (path, reason) => started(path, reason),
        onOutput: (stream, data) => execution.output(stream, data),
      },
    );
    this.#inUse.add(sandbox);
    let deaf: NodeJS.Timeout | undefined;
    // A runner that does not answer the kill loses its sandbox.
    execution.onCancel = () => (deaf ??= setTimeout(() => this.#giveUp(execution, sandbox), RUNNER_GRACE_MS));
    execution.running(job);
    // The runner keeps the wall limit. Past it, either a reader does not take the output, which a cancel drops, or the
    // runner says nothing any more.
    const overdue = setTimeout(() => execution.cancel('unread'), limits.wallMs + RUNNER_GRACE_MS);
    try {
      const end = await job.done;
      // What could not be started was served by a sandbox all the same, and says by which.
      if (!hasStarted) started('none', '');
      return end;
    } finally {
      clearTimeout(overdue);
      clearTimeout(deaf);
      this.#inUse.delete(sandbox);
    }
  }

  #giveUp(execution: LiveExecution, sandbox: AnySandbox): void {
    this.options.logger.warn(
      { execution: execution.id, sandbox: sandbox.id },
      'the runner did not end an execution in time; its sandbox is destroyed',
    );
    this.#destroy(sandbox);
  }

  #destroy(sandbox: AnySandbox): void {
    // The pool removes it as well when the execution has ended, and goes on trying.
    sandbox
      .destroy()
      .catch((error: unknown) =>
        this.options.logger.warn({ sandbox: sandbox.id, err: error }, 'a sandbox could not be removed yet'),
      );
  }
}

/** What a request holds in memory, about. */
function inputBytes({ code, files, stdin }: ExecutionRequest): number {
  const own = 4_096 + stdin.byteLength + (code?.byteLength ?? 0);
  return files.reduce((sum, file) => sum + file.content.byteLength, own);
}

/** Whether the work ends within the time. Milliseconds. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
