import { deferred } from '../../lib/deferred.js';
import { BerthError } from '../errors.js';
import type { InnerCancelCause } from './execution-end.js';
import { ExecutionLog, type HistoryOptions } from './execution-log.js';
import type { ExecutionRecord, ExecutionState } from './execution-record.js';
import type { EndedBody, ExecutionRequest, ExecutionUsage, OutputBody, StartedBody } from './execution.js';
import type { RunningJob } from './runner-session.js';

const SIGTERM = 15;

/** What those learn who wait for an execution that was cancelled before its code ran. */
const CANCEL_ERRORS: Record<InnerCancelCause, () => BerthError> = {
  requested: () => new BerthError('CANCELLED', 'the execution was cancelled while it waited for a sandbox'),
  disconnected: () =>
    new BerthError('CANCELLED', 'the caller went away while the execution waited for a sandbox'),
  deadline: () =>
    new BerthError('CANCELLED', 'the deadline of the call passed while the execution waited for a sandbox'),
  sandbox_deleted: () => new BerthError('CANCELLED', 'the sandbox of the execution was taken away'),
  unread: () => new BerthError('CANCELLED', 'the execution was cancelled'),
  shutdown: () =>
    new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back', {
      retryAfterMs: 5_000,
    }),
};

/**
 * One run of code in this life of the daemon; it belongs to the daemon, and readers of its log come and go.
 * It is queued until `started`, then running until `end`, or `fail` when it never starts. The executor alone moves it.
 */
export class LiveExecution {
  readonly createdAt = Date.now();
  readonly log: ExecutionLog;
  /** Called when its processes were told to end; who runs it sees to it that they do. */
  onCancel: (() => void) | undefined;
  readonly #abort = new AbortController();
  readonly #over = deferred<void>();
  #job: RunningJob | undefined;
  #creditOwed = 0;
  #request: ExecutionRequest;
  #cancelCause: InnerCancelCause | undefined;
  #wasAsked = false;
  #killTimer: NodeJS.Timeout | undefined;
  /** By `performance.now()`. */
  #killAt = Infinity;
  #state: ExecutionState = 'queued';
  #started: StartedBody | null = null;
  #startedAt: number | null = null;
  #ended: EndedBody | null = null;
  #endedAt: number | null = null;
  #failure: BerthError | null = null;
  #stdoutBytes = 0;
  #stderrBytes = 0;

  constructor(
    readonly id: string,
    request: ExecutionRequest,
    history: Omit<HistoryOptions, 'keepOlder'>,
  ) {
    this.#request = request;
    // Whoever gave it a request id, or lets it run on, may come back for its output.
    const keepOlder = request.requestId !== '' || !request.cancelOnDisconnect;
    this.log = new ExecutionLog(id, { ...history, keepOlder }, (bytes) => this.#grant(bytes));
  }

  get request(): ExecutionRequest {
    return this.#request;
  }

  get tenant(): string {
    return this.#request.tenant;
  }

  /** Aborted when the execution is cancelled before its code runs. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when its last event is in the log. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#state === 'ended' || this.#state === 'failed';
  }

  /** Who cancelled it, first. */
  get cancelCause(): InnerCancelCause | undefined {
    return this.#cancelCause;
  }

  /** Whether its main process was sent SIGTERM. */
  get wasAsked(): boolean {
    return this.#wasAsked;
  }

  /** Usage as far as the daemon itself sees it. */
  get seen(): Pick<ExecutionUsage, 'wallMs' | 'stdoutBytes' | 'stderrBytes'> {
    const wallMs = this.#startedAt === null ? 0 : Date.now() - this.#startedAt;
    return { wallMs, stdoutBytes: this.#stdoutBytes, stderrBytes: this.#stderrBytes };
  }

  /**
   * Ends it: it leaves the queue, or its main process gets SIGTERM and everything of it is killed after `graceMs`. It ends as
   * `cancelled`. Of two cancels the first gives the cause, and the shorter grace holds.
   */
  cancel(cause: InnerCancelCause, graceMs = 0): void {
    if (this.isOver) return;
    this.#cancelCause ??= cause;
    this.#abort.abort(CANCEL_ERRORS[this.#cancelCause]());
    const job = this.#job;
    if (job === undefined) return;
    if (graceMs === 0) return this.#kill(job);
    this.#wasAsked = true;
    job.signal(SIGTERM);
    const killAt = performance.now() + graceMs;
    if (killAt >= this.#killAt) return;
    clearTimeout(this.#killTimer);
    this.#killAt = killAt;
    this.#killTimer = setTimeout(() => this.#kill(job), graceMs);
  }

  /** Hands over the job that was sent off; cancels it at once when the execution was cancelled meanwhile. */
  running(job: RunningJob): void {
    this.#job = job;
    this.#forgetInput();
    if (this.#abort.signal.aborted) this.#kill(job);
    if (this.#creditOwed > 0) this.#grant(0);
  }

  started(body: StartedBody): void {
    this.#state = 'running';
    this.#started = body;
    this.#startedAt = Date.now();
    this.log.append(body);
  }

  output(stream: OutputBody['stream'], data: Uint8Array): void {
    if (stream === 'stdout') this.#stdoutBytes += data.byteLength;
    else this.#stderrBytes += data.byteLength;
    this.log.append({ type: 'output', stream, data });
  }

  end(body: EndedBody): void {
    this.#state = 'ended';
    this.#ended = body;
    this.log.append(body);
    this.#finish();
  }

  fail(error: BerthError): void {
    this.#state = 'failed';
    this.#failure = error;
    this.log.fail(error);
    this.#finish();
  }

  record(): ExecutionRecord {
    const { tenant, requestId, digest, durable, labels } = this.#request;
    const failure = this.#failure;
    return {
      id: this.id,
      tenant,
      requestId,
      digest,
      durable,
      state: this.#state,
      createdAt: this.createdAt,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      taskId: '',
      labels,
      started: this.#started,
      ended: this.#ended,
      lastSeq: this.log.lastSeq,
      failure: failure === null ? null : { reason: failure.reason, message: failure.message },
    };
  }

  #kill(job: RunningJob): void {
    clearTimeout(this.#killTimer);
    job.cancel();
    this.onCancel?.();
  }

  #finish(): void {
    clearTimeout(this.#killTimer);
    this.#forgetInput();
    this.#endedAt = Date.now();
    this.#over.resolve();
  }

  /** A repeated request id is answered from the events: what went in, up to many MiB, is not needed any more. */
  #forgetInput(): void {
    this.#request = {
      ...this.#request,
      code: undefined,
      files: [],
      stdin: new Uint8Array(0),
      argv: [],
      env: {},
    };
  }

  #grant(bytes: number): void {
    this.#creditOwed += bytes;
    if (this.#job === undefined || this.#creditOwed === 0) return;
    this.#job.grant(this.#creditOwed);
    this.#creditOwed = 0;
  }
}
