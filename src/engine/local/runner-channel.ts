import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { ChannelLoss, RunnerChannel } from '../../domain/sandbox/engine.js';

/** Of a line of diagnostics; the rest of a longer one is the next. */
const LINE_BYTES = 4 * 1024;
/** What is told of the end of a sandbox that ended badly. */
const LAST_LINES = 5;

type BytesListener = RunnerChannel['onBytes'];
type ClosedListener = RunnerChannel['onClosed'];

/** A child whose three streams are pipes. */
export type PipedProcess = ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable };

export interface LocalChannelOptions {
  /** A line of the runner's, the enclosure's or bubblewrap's own diagnostics. */
  onDiagnostics(line: string): void;
  /** Whether the memory limit killed something; asked once, when the child has ended. */
  oomKilled(): boolean;
}

/**
 * The bytes to and from the runner of one local sandbox: its standard streams. They are read in this thread: the protocol's
 * credits bound what a runner sends, and nothing is read before there is somebody to take it, so that at most a pipe and one
 * chunk wait here. The loss comes after all bytes, once, and waits for its listener.
 */
export class LocalRunnerChannel implements RunnerChannel {
  /** Resolves when the child has ended and its streams are at their end. */
  readonly ended: Promise<void>;
  #onBytes: BytesListener | undefined;
  #onClosed: ClosedListener | undefined;
  #loss: ChannelLoss | undefined;
  readonly #lastLines: string[] = [];

  constructor(
    private readonly child: PipedProcess,
    private readonly options: LocalChannelOptions,
  ) {
    // The runner may end while something is written to it; its end says so.
    child.stdin.on('error', ignore);
    child.stdout.on('error', ignore);
    this.#readDiagnostics();
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#lose({
          cause: 'container_died',
          message: `it cannot be started: ${error.message}`,
          oomKilled: false,
        });
        resolve();
      });
      child.once('close', (code, signal) => {
        this.#lose(this.#lossOfChild(code, signal));
        resolve();
      });
    });
  }

  get onBytes(): BytesListener {
    return this.#onBytes ?? ignore;
  }

  set onBytes(listener: BytesListener) {
    const isFirst = this.#onBytes === undefined;
    this.#onBytes = listener;
    if (isFirst) this.child.stdout.on('data', (chunk: Buffer) => this.#onBytes?.(chunk));
  }

  get onClosed(): ClosedListener {
    return this.#onClosed ?? ignore;
  }

  set onClosed(listener: ClosedListener) {
    this.#onClosed = listener;
    if (this.#loss) listener(this.#loss);
  }

  send(frame: Uint8Array): void {
    if (this.#loss === undefined) this.child.stdin.write(frame);
  }

  /** The runner ends when its input does. */
  close(): void {
    this.#lose({ cause: 'closed', message: 'the channel was closed', oomKilled: false });
    this.child.stdin.destroy();
    this.child.stdout.destroy();
  }

  #lossOfChild(code: number | null, signal: NodeJS.Signals | null): ChannelLoss {
    const oomKilled = this.options.oomKilled();
    const said = this.#lastLines.length === 0 ? '' : `: ${this.#lastLines.join('; ')}`;
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    return {
      cause: 'container_died',
      message: `the sandbox ended ${how}${oomKilled ? ', killed by its memory limit' : said}`,
      oomKilled,
    };
  }

  #lose(loss: ChannelLoss): void {
    if (this.#loss !== undefined) return;
    this.#loss = loss;
    this.#onClosed?.(loss);
  }

  #readDiagnostics(): void {
    let begun = '';
    const tell = (line: string): void => {
      if (line === '') return;
      this.#lastLines.push(line);
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
      this.options.onDiagnostics(line);
    };
    this.child.stderr.setEncoding('utf8');
    this.child.stderr.on('error', ignore);
    this.child.stderr.on('data', (text: string) => {
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) tell(line);
      if (begun.length > LINE_BYTES) {
        tell(begun);
        begun = '';
      }
    });
    this.child.stderr.on('end', () => tell(begun));
  }
}

function ignore(): void {}
