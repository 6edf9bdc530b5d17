import type {
  EngineProcess,
  ProcessEnd,
  ProcessOutput,
  TerminalSize,
} from '../../../domain/env/exec/engine.js';
import { deferred } from '../../../lib/deferred.js';
import { berthErrorFrom, DockerError, type FailureContext } from '../docker-error.js';
import type { DockerStream, DockerStreams } from '../docker-streams.js';
import { readLogRecords } from '../log-records.js';
import type { DockerFailure } from '../worker/failure.js';
import type { FromStream, StreamOpen } from '../worker/stream-messages.js';

/** Under way from Docker to a client that does not read; beyond it the process itself has to wait. */
const OUTPUT_WINDOW_BYTES = 256 * 1024;
/** Under way to a process that does not read; beyond it the client has to wait. */
const INPUT_WINDOW_BYTES = 256 * 1024;

const MESSAGE_BYTES = 1_000;

/** A connection to a process in a container. What the two kinds of it differ in is for their classes. */
export abstract class ContainerProcess implements EngineProcess {
  #stream: DockerStream | undefined;
  readonly #batches: Uint8Array[] = [];
  #ended: { failure: DockerFailure | undefined } | undefined;
  #changed = deferred();
  #unwritten = 0;
  #written = deferred();

  protected constructor(private readonly context: FailureContext) {}

  /** @throws BerthError */
  protected async connect(streams: DockerStreams, open: StreamOpen, signal: AbortSignal): Promise<void> {
    try {
      this.#stream = await streams.open(
        open,
        { message: (message) => this.#receive(message), ended: (failure) => this.#end(failure) },
        { windowBytes: OUTPUT_WINDOW_BYTES, signal },
      );
    } catch (error) {
      throw berthErrorFrom(error, this.context);
    }
  }

  /** Whether its connection is over. */
  protected get isOver(): boolean {
    return this.#ended !== undefined;
  }

  async *output(): AsyncGenerator<ProcessOutput> {
    for (;;) {
      const batch = this.#batches.shift();
      if (batch) {
        for (const { stream, data } of readLogRecords(batch)) yield { stream, data };
        this.#stream?.credit(batch.length);
      } else if (this.#ended) {
        const { failure } = this.#ended;
        if (failure) throw berthErrorFrom(new DockerError(failure), this.context);
        return;
      } else {
        await this.#changed.promise;
        this.#changed = deferred();
      }
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#ended || bytes.length === 0) return;
    this.#unwritten += bytes.length;
    this.#stream?.write(bytes);
    while (this.#unwritten > INPUT_WINDOW_BYTES && !this.#ended) {
      await this.#written.promise;
      this.#written = deferred();
    }
  }

  /** Waits for the end, and leaves what was written to be read. */
  protected async textToTheEnd(): Promise<string> {
    while (!this.#ended) {
      await this.#changed.promise;
      this.#changed = deferred();
    }
    const parts = this.#batches.flatMap((batch) => [...readLogRecords(batch)].map(({ data }) => data));
    return Buffer.concat(parts).toString('utf8', 0, MESSAGE_BYTES).trim();
  }

  abstract endInput(): Promise<void>;
  abstract resize(size: TerminalSize): Promise<void>;
  abstract signal(name: NodeJS.Signals): Promise<void>;
  abstract end(): Promise<ProcessEnd>;
  abstract close(): Promise<void>;

  protected closeInput(): void {
    this.#stream?.endInput();
  }

  protected disconnect(): void {
    this.#stream?.cancel();
  }

  #receive(message: Extract<FromStream, { kind: 'bytes' | 'event' | 'diagnostics' | 'written' }>): void {
    if (message.kind === 'bytes') {
      this.#batches.push(message.bytes);
      this.#changed.resolve();
    } else if (message.kind === 'written') {
      this.#unwritten -= message.bytes;
      this.#written.resolve();
    }
  }

  #end(failure: DockerFailure | undefined): void {
    this.#ended = { failure };
    this.#changed.resolve();
    this.#written.resolve();
  }
}
