import type { ChannelLoss, RunnerChannel } from '../../../domain/sandbox/engine.js';
import type { DockerStream, DockerStreams, StreamReceiver } from '../docker-streams.js';
import type { DockerFailure } from '../worker/failure.js';
import type { FromStream } from '../worker/stream-messages.js';
import { RunnerSocket } from './runner-socket.js';

/** The protocol's own credits bound a well-behaved runner; this bounds any other. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Credit goes back in portions, so that small frames cost no message in the other direction. */
const CREDIT_PORTION_BYTES = 512 * 1024;
/** After the runner's socket has ended, Docker is given this long to tell the end of the container. */
const DOCKER_TELLS_WITHIN_MS = 2_000;
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
 *
 * What goes through Docker is taken apart in a worker. The runner's own socket is read in this thread: its frames need no
 * taking apart, the protocol's credits bound what comes, and a hop to a worker and back costs more than the read.
 */
export class DockerRunnerChannel implements RunnerChannel, StreamReceiver {
  #stream: DockerStream | undefined;
  #onBytes: BytesListener | undefined;
  #onClosed: ClosedListener | undefined;
  #early: Uint8Array[] = [];
  #socketPath: string | undefined;
  #socket: RunnerSocket | undefined;
  /** Through Docker, each way. */
  #sentBytes = 0;
  #receivedBytes = 0;
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
    this.#trySocket();
  }

  get onClosed(): ClosedListener {
    return this.#onClosed ?? ignore;
  }

  set onClosed(listener: ClosedListener) {
    this.#onClosed = listener;
    if (this.#loss) listener(this.#loss);
  }

  send(frame: Uint8Array): void {
    if (this.#socket?.inUse === true) this.#socket.write(frame);
    else {
      this.#sentBytes += frame.length;
      this.#stream?.write(frame);
    }
  }

  /** Lets bytes go through the runner's own socket, whose path on this host is given, instead of through Docker. */
  useSocket(path: string): void {
    this.#socketPath = path;
    this.#trySocket();
  }

  close(): void {
    this.#closing = true;
    this.#socket?.destroy();
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
        this.#receivedBytes += message.bytes.length;
        if (this.#onBytes) this.#deliver(message.bytes, this.#onBytes);
        else this.#early.push(message.bytes);
        this.#socket?.cameOldWay(message.bytes.length);
        this.#trySocket();
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
    this.#socket?.destroy();
    this.#loss = loss;
    this.#onClosed?.(loss);
  }

  /**
   * The runner listens before it says anything, so that there is no socket to wait for once something has come. Nothing is
   * read from it before there is somebody to take it.
   */
  #trySocket(): void {
    if (this.#socketPath === undefined || this.#socket !== undefined) return;
    if (this.#receivedBytes === 0 || this.#onBytes === undefined) return;
    this.#socket = new RunnerSocket(this.#socketPath, () => this.#sentBytes, this.#receivedBytes, {
      // Output is kept beyond this call.
      bytes: (chunk) => this.#onBytes?.(new Uint8Array(chunk)),
      // Docker tells the end as well, and knows the container's state when it does.
      closed: () => void setTimeout(() => this.#stream?.cancel(), DOCKER_TELLS_WITHIN_MS).unref(),
    });
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
