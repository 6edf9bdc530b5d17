import { deferred, type Deferred } from '../../lib/deferred.js';
import { unlessAborted } from '../../lib/unless-aborted.js';
import { BerthError, messageOf } from '../errors.js';
import type { ChannelLoss, PeakMemoryMeter, RunnerChannel } from './engine.js';
import type { EndedBody, ExecutionLimits, InputFile, StartedBody } from './execution.js';
import {
  encodeCredit,
  encodeKill,
  encodePing,
  encodePrepare,
  encodeReset,
  encodeStart,
  RUNNER_PROTOCOL,
  RunnerDeframer,
  type ExitReport,
  type PongReport,
  type PreparedReport,
  type ReadyReport,
  type ResetReport,
  type RunnerMessage,
  type StartRequest,
} from './runner-protocol.js';

/** What the runner is asked to run. */
export interface Job {
  uid: number;
  /** `argv` is a whole command line; otherwise a program of `language` is run with it. */
  isCommand: boolean;
  language: string;
  /** Undefined: the entry is one of the files. */
  code: Uint8Array | undefined;
  argv: string[];
  entry: string;
  cwd: string;
  env: Record<string, string>;
  files: InputFile[];
  stdin: Uint8Array;
  limits: ExecutionLimits;
  /** Output that may be sent before more is granted. Bytes. */
  outputCredit: number;
}

export interface JobSink {
  onStarted(path: StartedBody['startPath'], reason: string): void;
  onOutput(stream: 'stdout' | 'stderr', data: Uint8Array): void;
}

/** How a job ended: by itself or a limit, or with its sandbox. */
export type JobEnd =
  | { kind: 'ended'; body: Omit<EndedBody, 'type' | 'cancelCause' | 'lostCause' | 'receipt'> }
  | { kind: 'lost'; loss: ChannelLoss };

export interface RunningJob {
  /** Always resolves, once. */
  readonly done: Promise<JobEnd>;
  /** Kills every process of the execution; it ends as `cancelled`. */
  cancel(): void;
  /** Sends the main process a signal, by number. */
  signal(number: number): void;
  /** Lets the runner send this much more output. Bytes. */
  grant(bytes: number): void;
}

interface Running {
  number: number;
  sink: JobSink;
  peak: PeakMemoryMeter | undefined;
  /** Output that it may still send. Bytes. */
  credit: number;
  done: Deferred<JobEnd>;
}

/**
 * The conversation with the runner of one sandbox: ready once, then START … EXIT and RESET … RESET_DONE in turn. One
 * execution at a time; frames of another execution number are a defect of the runner and end the sandbox.
 */
export class RunnerSession {
  onLost: ((loss: ChannelLoss) => void) | undefined;
  readonly #deframer = new RunnerDeframer();
  readonly #ready = deferred<ReadyReport>();
  #prepared: Deferred<PreparedReport> | undefined;
  #resetDone: Deferred<ResetReport> | undefined;
  #pong: Deferred<PongReport> | undefined;
  #running: Running | undefined;
  #lastNumber = 0;
  #loss: ChannelLoss | undefined;

  constructor(private readonly channel: RunnerChannel) {
    // Those who wait get the loss; a session that nobody waits for must not end the process.
    this.#ready.promise.catch(() => undefined);
    channel.onBytes = (chunk) => this.#onBytes(chunk);
    channel.onClosed = (loss) => this.#onClosed(loss);
  }

  /** Resolves when the launchers of these languages are warm. @throws BerthError SANDBOX_CREATE_FAILED */
  async ready(languages: readonly string[], signal: AbortSignal): Promise<ReadyReport> {
    const body = await unlessAborted(this.#ready.promise, signal, cancelled);
    if (body.protocol !== RUNNER_PROTOCOL) {
      throw new BerthError(
        'SANDBOX_CREATE_FAILED',
        `the image's runner speaks protocol ${body.protocol}, berthd ${RUNNER_PROTOCOL}; prepare the image again: berth images prepare`,
      );
    }
    for (const language of languages) {
      const state = body.languages[language];
      if (state === undefined || state.error !== undefined) {
        throw new BerthError(
          'SANDBOX_CREATE_FAILED',
          `the launcher for ${language} did not start: ${state?.error ?? 'it is not in the image'}`,
        );
      }
    }
    return body;
  }

  /** Has a spare forked under `uid`. @throws BerthError SANDBOX_CREATE_FAILED */
  async prepare(uid: number, language: string, signal: AbortSignal): Promise<void> {
    const prepared = this.#expectPrepared();
    this.#send(encodePrepare({ uid, language }));
    await unlessAborted(prepared, signal, cancelled);
  }

  start(job: Job, sink: JobSink, peak: PeakMemoryMeter | undefined): RunningJob {
    const number = ++this.#lastNumber;
    const done = deferred<JobEnd>();
    if (this.#loss !== undefined) done.resolve({ kind: 'lost', loss: this.#loss });
    else {
      this.#running = { number, sink, peak, credit: job.outputCredit, done };
      this.#send(encodeStart(number, toStart(job)));
    }
    return {
      done: done.promise,
      cancel: () => this.#ifRunning(number, () => this.#send(encodeKill(number, { kind: 'cancel' }))),
      signal: (signal) =>
        this.#ifRunning(number, () => this.#send(encodeKill(number, { kind: 'signal', signal }))),
      grant: (bytes) =>
        this.#ifRunning(number, (running) => {
          running.credit += bytes;
          this.#send(encodeCredit(number, bytes));
        }),
    };
  }

  /** How the sandbox is, as its runner sees it. @throws BerthError SANDBOX_LOST when it does not answer in time or is gone */
  async ping(timeoutMs: number): Promise<PongReport> {
    if (this.#pong === undefined) {
      this.#pong = deferred<PongReport>();
      this.#pong.promise.catch(() => undefined);
      this.#send(encodePing());
    }
    return unlessAborted(
      this.#pong.promise,
      AbortSignal.timeout(timeoutMs),
      late(`the runner did not answer a ping within ${timeoutMs} ms`),
    );
  }

  /**
   * Resets and, when the sandbox is as good as new, has the next spare forked. The report says whether it is.
   * @throws BerthError SANDBOX_LOST when the runner did not answer in time or is gone
   */
  async reset(
    uids: { uid: number; nextUid: number; language: string | undefined },
    timeoutMs: number,
  ): Promise<ResetReport> {
    const done = (this.#resetDone = deferred<ResetReport>());
    const prepared = uids.language === undefined ? undefined : this.#expectPrepared();
    prepared?.catch(() => undefined);
    this.#send(encodeReset(uids));
    const overdue = AbortSignal.timeout(timeoutMs);
    const result = await unlessAborted(
      done.promise,
      overdue,
      late(`the reset took longer than ${timeoutMs} ms`),
    );
    if (result.ok && prepared !== undefined)
      await unlessAborted(prepared, overdue, late(`no new spare within ${timeoutMs} ms`));
    return result;
  }

  close(): void {
    this.channel.close();
  }

  #expectPrepared(): Promise<PreparedReport> {
    this.#prepared = deferred<PreparedReport>();
    return this.#prepared.promise.then((body) => {
      if (body.error !== undefined)
        throw new BerthError('SANDBOX_LOST', `no spare could be forked: ${body.error}`);
      return body;
    });
  }

  #ifRunning(number: number, act: (running: Running) => void): void {
    if (this.#running?.number === number) act(this.#running);
  }

  #send(frame: Uint8Array): void {
    if (this.#loss === undefined) this.channel.send(frame);
    else this.#failWaiters(this.#loss);
  }

  #onBytes(chunk: Uint8Array): void {
    if (this.#loss !== undefined) return;
    try {
      for (const message of this.#deframer.push(chunk)) this.#onMessage(message);
    } catch (error) {
      this.#breakOff(messageOf(error));
    }
  }

  #onMessage(message: RunnerMessage): void {
    switch (message.type) {
      case 'ready':
        return this.#ready.resolve(message.report);
      case 'prepared':
        return this.#prepared?.resolve(message.report);
      case 'resetDone':
        return this.#resetDone?.resolve(message.report);
      case 'started':
        return this.#ifRunning(message.execution, (running) =>
          running.sink.onStarted(message.report.path, message.report.reason ?? ''),
        );
      case 'stdout':
      case 'stderr':
        return this.#ifRunning(message.execution, (running) =>
          this.#onOutput(running, message.type, message.bytes),
        );
      case 'exit':
        return this.#ifRunning(message.execution, (running) => this.#onExit(running, message.report));
      case 'error':
        return this.#breakOff(`the runner refused a frame: ${message.message}`);
      case 'pong':
        this.#pong?.resolve(message.report);
        this.#pong = undefined;
        return;
      case 'stdinTaken':
        // Nobody streams input yet.
        return;
    }
  }

  /** The two sides no longer understand each other: the sandbox is of no further use. */
  #breakOff(message: string): void {
    this.channel.close();
    this.#onClosed({ cause: 'protocol_error', message, oomKilled: false });
  }

  /** Credit is all that bounds what waits in this process for a slow reader. */
  #onOutput(running: Running, stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    running.credit -= bytes.length;
    if (running.credit < 0) this.#breakOff('the runner sent more output than it was granted');
    else running.sink.onOutput(stream, bytes);
  }

  #onExit(running: Running, body: ExitReport): void {
    this.#running = undefined;
    const { usage } = body;
    const outside = running.peak?.read();
    running.done.resolve({
      kind: 'ended',
      body: {
        reason: body.end,
        // Cut while its output was drained, it has an exit code that nobody should take for its end.
        exitCode: body.end === 'exited' ? body.exitCode : undefined,
        signal: body.signal ?? '',
        message: body.message ?? '',
        truncated: body.truncated,
        usage: {
          wallMs: usage.wallUs / 1_000,
          userCpuMs: usage.userUs / 1_000,
          systemCpuMs: usage.systemUs / 1_000,
          peakMemoryBytes: outside ?? usage.peakMemoryBytes,
          peakMemorySource: outside === undefined ? usage.peakMemorySource : 'cgroup_peak',
          stdoutBytes: usage.stdoutBytes,
          stderrBytes: usage.stderrBytes,
          oomKills: body.oomKills,
        },
      },
    });
  }

  #onClosed(loss: ChannelLoss): void {
    if (this.#loss !== undefined) return;
    this.#loss = loss;
    this.#failWaiters(loss);
    const running = this.#running;
    this.#running = undefined;
    running?.done.resolve({ kind: 'lost', loss });
    this.onLost?.(loss);
  }

  #failWaiters(loss: ChannelLoss): void {
    const error = new BerthError('SANDBOX_LOST', `the sandbox was lost: ${loss.message}`, {
      metadata: { cause: loss.cause },
    });
    this.#ready.reject(error);
    this.#prepared?.reject(error);
    this.#resetDone?.reject(error);
    this.#pong?.reject(error);
  }
}

function toStart(job: Job): StartRequest {
  const { wallMs, cpuMs, outputBytes, fileBytes } = job.limits;
  const common = {
    uid: job.uid,
    argv: job.argv,
    env: job.env,
    cwd: job.cwd,
    files: job.files,
    stdin: { content: job.stdin, open: false },
    limits: { wallMs, cpuMs, outputBytes, fileBytes },
    outputCredit: job.outputCredit,
  };
  if (job.isCommand) return { ...common, mode: 'command' };
  return { ...common, mode: 'launcher', language: job.language, entry: job.entry, code: job.code };
}

/** Of a creation that was given up. */
function cancelled(reason: unknown): Error {
  return reason instanceof Error ? reason : new BerthError('CANCELLED', 'cancelled');
}

/** Of a runner that is too slow. */
function late(message: string): (reason: unknown) => Error {
  return (reason) => new BerthError('SANDBOX_LOST', message, { cause: reason });
}
