import type { ChannelLoss, RunnerChannel } from '../../../domain/sandbox/engine.js';
import type { DockerStream, DockerStreams, StreamReceiver } from '../docker-streams.js';
import type { DockerFailure } from '../worker/failure.js';
import type { FromStream } from '../worker/stream-messages.js';

/** The protocol's own credits bound a well-behaved runner; this bounds any other. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Credit goes back in portions, so that small frames cost no message in the other direction. */
const CREDIT_PORTION_BYTES = 512 * 1024;
/** Time that the stream of a dead container gets to end by itself. Milliseconds. */
const LINGER_MS = 250;

type BytesListener = RunnerChannel['onBytes'];
type ClosedListener = RunnerChannel['onClosed'];

export interface RunnerChannelOptions {
  containerId: string;
  /** Finds out why the stream ended; called once. */
  diagnose(failure: DockerFailure | undefined): Promise<ChannelLoss>;
  /** A line of the runner's own diagnostics. */
  onDiagnostics(line: string): void;
}

/**
 * The bytes to and from one runner. Bytes that come before `onBytes` is set wait for it, and so does the loss; the loss comes
 * after all bytes, once.
 */
export class DockerRunnerChannel implements RunnerChannel, StreamReceiver {
  #stream: DockerStream | undefined;
  #onBytes: BytesListener | undefined;
  #onClosed: ClosedListener | undefined;
  #early: Uint8Array[] = [];
  #loss: ChannelLoss | undefined;
  #consumed = 0;
  #closing = false;
  #ended = false;

  private constructor(private readonly options: RunnerChannelOptions) {}

  /** Attaches to a container that is created and not started. @throws DockerError */
  static async open(
    streams: DockerStreams,
    options: RunnerChannelOptions,
    signal: AbortSignal | undefined,
  ): Promise<DockerRunnerChannel> {
    const channel = new DockerRunnerChannel(options);
    channel.#stream = await streams.open({ kind: 'runner', containerId: options.containerId }, channel, {
      windowBytes: WINDOW_BYTES,
      signal,
    });
    return channel;
  }

  get onBytes(): BytesListener {
    return this.#onBytes ?? ignore;
  }

  set onBytes(listener: BytesListener) {
    this.#onBytes = listener;
    const early = this.#early;
    this.#early = [];
    for (const chunk of early) this.#deliver(chunk, listener);
  }

  get onClosed(): ClosedListener {
    return this.#onClosed ?? ignore;
  }

  set onClosed(listener: ClosedListener) {
    this.#onClosed = listener;
    if (this.#loss) listener(this.#loss);
  }

  send(frame: Uint8Array): void {
    this.#stream?.write(frame);
  }

  /** Lets bytes go through the runner's own socket, whose path on this host is given, instead of through Docker. */
  useSocket(path: string): void {
    this.#stream?.useSocket(path);
  }

  close(): void {
    this.#closing = true;
    this.#stream?.cancel();
  }

  containerDied(): void {
    setTimeout(() => {
      this.ended(undefined);
      this.#stream?.cancel();
    }, LINGER_MS).unref();
  }

  message(message: Extract<FromStream, { kind: 'bytes' | 'event' | 'diagnostics' }>): void {
    switch (message.kind) {
      case 'bytes':
        if (this.#onBytes) this.#deliver(message.bytes, this.#onBytes);
        else this.#early.push(message.bytes);
        return;
      case 'diagnostics':
        this.options.onDiagnostics(message.line);
        return;
      case 'event':
        return;
    }
  }

  ended(failure: DockerFailure | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#closing) {
      this.#lose({ cause: 'closed', message: 'the channel was closed', oomKilled: false });
    } else {
      void this.options.diagnose(failure).then((loss) => this.#lose(loss));
    }
  }

  #lose(loss: ChannelLoss): void {
    this.#loss = loss;
    this.#onClosed?.(loss);
  }

  #deliver(chunk: Uint8Array, listener: BytesListener): void {
    listener(chunk);
    this.#consumed += chunk.length;
    if (this.#consumed >= CREDIT_PORTION_BYTES) {
      this.#stream?.credit(this.#consumed);
      this.#consumed = 0;
    }
  }
}

function ignore(): void {}
