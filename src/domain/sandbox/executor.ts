import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import { newId } from '../ids.js';
import type { AnySandbox } from './sandbox.js';
import type { Lease } from '../pool/lease.js';
import type { PoolManager } from '../pool/pool-manager.js';
import type {
  CancelCause,
  EndedBody,
  ExecutionRequest,
  ExecutionUsage,
  LostCause,
  ResetReceipt,
  StartedBody,
} from './execution.js';
import type { ChannelLoss } from './engine.js';
import { ExecutionLog } from './execution-log.js';
import type { JobEnd, RunningJob } from './runner-session.js';

export interface ExecutorOptions {
  pools: PoolManager;
  logger: Logger;
  /** Bytes of events kept for each execution. */
  retainBytes: number;
  /** Time that the events of an ended execution are kept. Milliseconds. */
  retainMs: number;
}

/** Output that a sandbox may send before a reader has taken it. Bytes. */
const OUTPUT_CREDIT = 512 * 1024;
/** Time past the wall limit after which a runner that says nothing is given up. Milliseconds. */
const RUNNER_GRACE_MS = 5_000;

/** `unread`: its output was not taken in time. */
type InnerCancelCause = CancelCause | 'unread';

/** What those learn who wait for an execution that was cancelled before its code ran. */
const CANCEL_ERRORS: Record<InnerCancelCause, () => BerthError> = {
  requested: () => new BerthError('CANCELLED', 'the execution was cancelled while it waited for a sandbox'),
  disconnected: () =>
    new BerthError('CANCELLED', 'the caller went away while the execution waited for a sandbox'),
  sandbox_deleted: () => new BerthError('CANCELLED', 'the sandbox of the execution was taken away'),
  unread: () => new BerthError('CANCELLED', 'the execution was cancelled'),
  shutdown: () =>
    new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back', {
      retryAfterMs: 5_000,
    }),
};

/** One run of code; it belongs to the daemon, and readers of its log come and go. */
export class Execution {
  readonly log: ExecutionLog;
  /** Resolves when it has ended and its sandbox is given back. */
  readonly finished: Promise<void>;
  #abort = new AbortController();
  #job: RunningJob | undefined;
  #creditOwed = 0;
  #request: ExecutionRequest;
  #cancelCause: InnerCancelCause | undefined;

  constructor(
    readonly id: string,
    request: ExecutionRequest,
    retainBytes: number,
    run: (execution: Execution) => Promise<void>,
  ) {
    this.#request = request;
    this.log = new ExecutionLog(retainBytes, (bytes) => this.#grant(bytes));
    this.finished = run(this);
  }

  /** Aborted when the execution is cancelled before its code runs. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get request(): ExecutionRequest {
    return this.#request;
  }

  /** Who cancelled it, first. */
  get cancelCause(): InnerCancelCause | undefined {
    return this.#cancelCause;
  }

  /** Ends it: it leaves the queue, or its processes are killed and it ends as `cancelled`. Idempotent. */
  cancel(cause: InnerCancelCause): void {
    this.#cancelCause ??= cause;
    this.#abort.abort(CANCEL_ERRORS[cause]());
    this.#job?.cancel();
  }

  /** Lets go of code, files and standard input once they are sent. */
  forgetInput(): void {
    this.#request = { ...this.#request, code: undefined, files: [], stdin: new Uint8Array(0) };
  }

  /** Hands over the started job; cancels it at once when the execution was cancelled meanwhile. */
  running(job: RunningJob): void {
    this.#job = job;
    if (this.#abort.signal.aborted) job.cancel();
    if (this.#creditOwed > 0) this.#grant(0);
  }

  #grant(bytes: number): void {
    this.#creditOwed += bytes;
    if (this.#job === undefined || this.#creditOwed === 0) return;
    this.#job.grant(this.#creditOwed);
    this.#creditOwed = 0;
  }
}

/**
 * Runs code. The hot path is here: lease, one frame, stream; no disk and no database before the code starts.
 * A repeated `request_id` of a tenant gets the first execution again, for as long as its events are kept.
 */
export class Executor {
  readonly #byId = new Map<string, Execution>();
  readonly #byRequest = new Map<string, Execution>();
  readonly #inUse = new Set<AnySandbox>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(private readonly options: ExecutorOptions) {}

  /** Number of executions that have not ended. */
  get running(): number {
    let n = 0;
    for (const execution of this.#byId.values()) if (!execution.log.ended) n++;
    return n;
  }

  /**
   * Starts an execution, or finds the one that this request id started before.
   * @throws BerthError REQUEST_ID_REUSED, SHUTTING_DOWN. What happens later is in the execution's log.
   */
  execute(request: ExecutionRequest): { execution: Execution; replayed: boolean } {
    const key = request.requestId === '' ? undefined : `${request.tenant}\n${request.requestId}`;
    const earlier = key === undefined ? undefined : this.#byRequest.get(key);
    if (earlier !== undefined) {
      if (earlier.request.digest === request.digest) return { execution: earlier, replayed: true };
      throw new BerthError(
        'REQUEST_ID_REUSED',
        `request_id ${request.requestId} was used before for a different execution; choose a new one`,
      );
    }
    if (this.#closed)
      throw new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back', {
        retryAfterMs: 5_000,
      });
    const execution = new Execution(newId('exec'), request, this.options.retainBytes, (e) => this.#run(e));
    this.#byId.set(execution.id, execution);
    if (key !== undefined) this.#byRequest.set(key, execution);
    // Without a request id nobody can ask for it again.
    void execution.finished.then(() =>
      key === undefined ? this.#byId.delete(execution.id) : this.#forgetLater(execution, key),
    );
    return { execution, replayed: false };
  }

  /** Takes no more work, lets what runs finish within the limit, then cancels it, then takes its sandbox away. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const all = Promise.all([...this.#byId.values()].map((e) => e.finished));
    if (!(await within(all, graceMs))) {
      for (const execution of this.#byId.values()) if (!execution.log.ended) execution.cancel('shutdown');
      // Whose runner does not even answer that loses its sandbox.
      if (!(await within(all, RUNNER_GRACE_MS))) for (const sandbox of this.#inUse) this.#destroy(sandbox);
      await all;
    }
    for (const t of this.#timers) clearTimeout(t);
  }

  /** Never throws: what goes wrong ends the log. */
  async #run(execution: Execution): Promise<void> {
    // The constructor of Execution calls this before the id is registered; everything below runs after that.
    await Promise.resolve();
    const { request } = execution;
    let lease: Lease | undefined;
    try {
      lease = await this.options.pools.acquire(request, { signal: execution.signal });
      lease.onRevoked = () => execution.cancel('sandbox_deleted');
      const { receipt } = lease.sandbox;
      execution.log.append(toEnded(await this.#runIn(lease, execution), execution.cancelCause, receipt));
    } catch (error) {
      const known =
        error instanceof BerthError
          ? error
          : new BerthError('INTERNAL', `the execution could not be started: ${messageOf(error)}`, {
              cause: error,
            });
      if (known.reason === 'INTERNAL')
        this.options.logger.error(
          { execution: execution.id, err: error },
          'an execution failed inside Berth',
        );
      execution.log.fail(known);
    } finally {
      lease?.release();
    }
  }

  async #runIn(lease: Lease, execution: Execution): Promise<JobEnd> {
    const { request, log } = execution;
    const { limits } = request;
    const { sandbox } = lease;
    let hasStarted = false;
    const started = (startPath: StartedBody['startPath'], startPathReason: string): void => {
      hasStarted = true;
      log.append({
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
        languageVersion: sandbox.languageVersion,
        limitsEnforced: sandbox.limitsEnforced,
      });
    };
    const job = sandbox.start(
      {
        isCommand: request.isCommand,
        language: request.language,
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
        onOutput: (stream, data) => log.append({ type: 'output', stream, data }),
      },
    );
    execution.running(job);
    // A repeated request id is answered from the events; what went in is not needed any more.
    execution.forgetInput();
    this.#inUse.add(sandbox);
    // The runner keeps the wall limit. Past it, either a reader does not take the output, which a cancel drops, or the
    // runner says nothing any more.
    let overdue = setTimeout(() => {
      execution.cancel('unread');
      overdue = setTimeout(() => {
        const ids = { execution: execution.id, sandbox: sandbox.id };
        this.options.logger.warn(
          ids,
          'the runner did not end an execution in time; its sandbox is destroyed',
        );
        this.#destroy(sandbox);
      }, RUNNER_GRACE_MS);
    }, limits.wallMs + RUNNER_GRACE_MS);
    try {
      const end = await job.done;
      // What could not be started was served by a sandbox all the same, and says by which.
      if (!hasStarted) started('none', '');
      return end;
    } finally {
      clearTimeout(overdue);
      this.#inUse.delete(sandbox);
    }
  }

  #destroy(sandbox: AnySandbox): void {
    // The pool removes it as well when the execution has ended, and goes on trying.
    sandbox
      .destroy()
      .catch((error: unknown) =>
        this.options.logger.warn({ sandbox: sandbox.id, err: error }, 'a sandbox could not be removed yet'),
      );
  }

  #forgetLater(execution: Execution, key: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#byId.delete(execution.id);
      this.#byRequest.delete(key);
    }, this.options.retainMs).unref();
    this.#timers.add(timer);
  }
}

const NO_USAGE: ExecutionUsage = {
  wallMs: 0,
  userCpuMs: 0,
  systemCpuMs: 0,
  peakMemoryBytes: 0,
  peakMemorySource: 'none',
  stdoutBytes: 0,
  stderrBytes: 0,
  oomKills: 0,
};

const LOST_CAUSES: Record<ChannelLoss['cause'], LostCause> = {
  container_died: 'container_died',
  docker_away: 'engine_lost',
  protocol_error: 'connection_lost',
  worker_died: 'connection_lost',
  closed: 'container_died',
};

function toEnded(
  end: JobEnd,
  cancelCause: InnerCancelCause | undefined,
  receipt: ResetReceipt | undefined,
): EndedBody {
  if (end.kind === 'ended') {
    const { reason } = end.body;
    if (reason === 'cancelled' && cancelCause === 'unread') {
      const message = 'the wall limit passed while output waited to be read; the rest is dropped';
      return {
        type: 'ended',
        ...end.body,
        reason: 'wall_timeout',
        message,
        truncated: true,
        cancelCause: undefined,
        lostCause: undefined,
        receipt,
      };
    }
    return {
      type: 'ended',
      ...end.body,
      cancelCause:
        reason === 'cancelled' && cancelCause !== 'unread' ? (cancelCause ?? 'requested') : undefined,
      lostCause: undefined,
      receipt,
    };
  }
  const { loss } = end;
  return {
    type: 'ended',
    // The runner dies of the memory limit only when the whole container does.
    reason: loss.oomKilled ? 'out_of_memory' : 'sandbox_lost',
    exitCode: undefined,
    signal: loss.oomKilled ? 'SIGKILL' : '',
    message: loss.message,
    usage: NO_USAGE,
    truncated: true,
    cancelCause: undefined,
    lostCause: loss.oomKilled ? undefined : LOST_CAUSES[loss.cause],
    receipt,
  };
}

/** Whether the work ends within the time. Milliseconds. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
