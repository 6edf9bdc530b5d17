import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { Logger } from '../../telemetry/logger.js';
import { Piscina } from 'piscina';
import { deferred } from '../../lib/deferred.js';
import { DockerError } from './docker-error.js';
import type { DockerWorkerData } from './worker/docker-client.js';
import type { DockerFailure } from './worker/failure.js';
import type { FromStream, StreamOpen, StreamTask, ToStream } from './worker/stream-messages.js';

const CLOSE_TIMEOUT_MS = 5_000;
/** The availability's event streams must open when everything else is at its cap, and the old ones may not be over yet. */
const RESERVED_STREAMS = 4;

export interface DockerStreamsOptions {
  dockerHost: string;
  threads: number;
  /** Streams at once; more are refused. */
  maxStreams: number;
  logger: Logger;
}

export interface StreamReceiver {
  /** In order; never after `ended`. */
  message(message: Extract<FromStream, { kind: 'bytes' | 'event' | 'diagnostics' | 'written' }>): void;
  /** Called once, for a stream that had opened. */
  ended(failure: DockerFailure | undefined): void;
}

/**
 * Long-lived streams from Docker: each is a task of a piscina pool that owns its socket, and talks over a port of its own.
 * A thread carries many. Cancelling is a message; a thread that dies ends its streams with `worker_died`.
 */
export class DockerStreams {
  apiVersion: string | undefined;
  readonly #pool: Piscina<StreamTask, void>;
  readonly #open = new Set<DockerStream>();
  readonly #maxStreams: number;
  #lastRequestId = 0;
  #closing = false;

  constructor(options: DockerStreamsOptions) {
    const workerData: DockerWorkerData = { dockerHost: options.dockerHost };
    this.#maxStreams = options.maxStreams;
    this.#pool = new Piscina<StreamTask, void>({
      filename: new URL('./worker/streams.js', import.meta.url).href,
      workerData,
      env: {},
      minThreads: options.threads,
      maxThreads: options.threads,
      idleTimeout: Infinity,
      concurrentTasksPerWorker: Math.ceil((options.maxStreams + RESERVED_STREAMS) / options.threads),
      // An idle worker would block in Atomics.wait and stall every stream in it.
      atomics: 'disabled',
      closeTimeout: CLOSE_TIMEOUT_MS,
      recordTiming: false,
    });
    this.#pool.on('error', (error) => options.logger.error({ err: error }, 'docker stream thread died'));
  }

  get openCount(): number {
    return this.#open.size;
  }

  /**
   * Resolves when Docker has answered and the stream is open.
   * @throws DockerError
   */
  async open(
    open: StreamOpen,
    receiver: StreamReceiver,
    options: { windowBytes: number; signal?: AbortSignal | undefined },
  ): Promise<DockerStream> {
    if (this.#closing || options.signal?.aborted) {
      throw new DockerError({
        code: 'cancelled',
        message: this.#closing ? 'the engine is closing' : 'cancelled',
      });
    }
    if (this.#open.size >= this.#maxStreams && open.kind !== 'events') {
      const message = `${this.#open.size} Docker streams are open, which is the configured maximum`;
      throw new DockerError({ code: 'overloaded', message });
    }
    const { port1, port2 } = new MessageChannel();
    const stream = new DockerStream(port1, receiver);
    this.#open.add(stream);
    void stream.ended.then(() => this.#open.delete(stream));
    const task: StreamTask = {
      requestId: ++this.#lastRequestId,
      open,
      apiVersion: this.apiVersion,
      port: port2,
      windowBytes: options.windowBytes,
    };
    // A task never throws by itself, so a rejection is the death of its thread.
    this.#pool.run(task, { transferList: [port2] }).catch((error: unknown) => {
      stream.lose({ code: 'worker_died', message: `the thread of this stream died: ${String(error)}` });
    });
    const cancel = (): void => stream.cancel();
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      await stream.opened;
      return stream;
    } finally {
      options.signal?.removeEventListener('abort', cancel);
    }
  }

  threads(): readonly Worker[] {
    return this.#pool.threads;
  }

  /** Cancels every stream, waits until each has ended, then ends the threads. */
  async close(): Promise<void> {
    this.#closing = true;
    const streams = [...this.#open];
    for (const stream of streams) stream.cancel();
    await Promise.all(streams.map((stream) => stream.ended));
    await this.#pool.close();
  }
}

/** The main thread's end of one stream. */
export class DockerStream {
  readonly #opened = deferred();
  readonly #ended = deferred();
  #state: 'opening' | 'open' | 'ended' = 'opening';

  constructor(
    private readonly port: MessagePort,
    private readonly receiver: StreamReceiver,
  ) {
    port.on('message', (message: FromStream) => this.#receive(message));
  }

  /** Resolves when Docker has answered; rejects with DockerError when the stream ends before. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Resolves, never rejects, when the stream is over, opened or not. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The bytes are copied; they stay the caller's. */
  write(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    // A clone carries the whole buffer that a view is on, so a view is copied out first and its copy handed over.
    // (Not by `slice`, which for a Buffer copies nothing.)
    const whole = bytes.byteLength === bytes.buffer.byteLength;
    const own = whole ? bytes : new Uint8Array(bytes);
    this.#post({ kind: 'write', bytes: own }, whole ? [] : [own.buffer as ArrayBuffer]);
  }

  /** So many bytes of what came were consumed. */
  credit(bytes: number): void {
    if (this.#state === 'open') this.#post({ kind: 'credit', bytes });
  }

  /** `exec`: no more is written. */
  endInput(): void {
    if (this.#state === 'open') this.#post({ kind: 'end_input' });
  }

  /** Idempotent; `ended` follows. */
  cancel(): void {
    if (this.#state !== 'ended') this.#post({ kind: 'cancel' });
  }

  /** The stream is over without a word from the worker. */
  lose(failure: DockerFailure): void {
    this.#end(failure);
  }

  #receive(message: FromStream): void {
    if (this.#state === 'ended') return;
    switch (message.kind) {
      case 'bytes':
      case 'event':
      case 'diagnostics':
      case 'written':
        this.receiver.message(message);
        return;
      case 'opened':
        this.#state = 'open';
        this.#opened.resolve();
        return;
      case 'ended':
        this.#end(message.failure);
        return;
    }
  }

  #end(failure: DockerFailure | undefined): void {
    if (this.#state === 'ended') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'ended';
    this.port.close();
    this.#ended.resolve();
    if (wasOpen) this.receiver.ended(failure);
    else
      this.#opened.reject(
        new DockerError(failure ?? { code: 'cancelled', message: 'ended before it opened' }),
      );
  }

  #post(message: ToStream, transfer: ArrayBuffer[] = []): void {
    this.port.postMessage(message, transfer);
  }
}
