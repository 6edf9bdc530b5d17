import { once } from 'node:events';
import { Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import { deadlineOf, type CallOptions } from './calls.js';
import { cancelled, toRpcError } from './rpc-error.js';
import {
  ExecEnvStart,
  type DeepPartial,
  type EnvServiceClient,
  type ExecEnvEvent,
  type ExecEnvRequest,
  type ExecEnvResponse,
} from './gen/berth/v1/env_service.js';

/** The contract's limit of one message of standard input. */
const LARGEST_STDIN_BYTES = 256 * 1024;

/**
 * A command in an env, or an attachment to its main process. Iterating yields its events, to be read once; the last one is
 * `ended`. Leaving the loop, `close`, and the loss of the connection end a command and detach from a main process: there is
 * nothing to take up again.
 */
export class ExecStream implements AsyncIterable<ExecEnvEvent> {
  readonly #call: ClientDuplexStream<ExecEnvRequest, ExecEnvResponse>;
  readonly #signal: AbortSignal | undefined;
  readonly #cancel = (): void => this.#call.cancel();

  constructor(
    client: EnvServiceClient,
    start: DeepPartial<ExecEnvStart>,
    { signal, timeoutMs }: CallOptions = {},
  ) {
    if (signal?.aborted) throw cancelled(signal);
    this.#signal = signal;
    this.#call = client.execEnv(new Metadata(), { deadline: deadlineOf(timeoutMs) });
    // A cancel after the last read ends in an 'error' that nobody else waits for.
    this.#call.on('error', () => {});
    signal?.addEventListener('abort', this.#cancel, { once: true });
    this.#send({ $case: 'start', value: ExecEnvStart.fromPartial(start) });
  }

  /** Standard input, of any length. Resolves when more may be written; a command that is over takes and drops it. */
  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.byteLength; at += LARGEST_STDIN_BYTES) {
      const part = data.subarray(at, at + LARGEST_STDIN_BYTES);
      if (this.#send({ $case: 'stdin', value: Buffer.from(part) })) continue;
      const over = new AbortController();
      const gone = ['close', 'end', 'error'].map((event) => once(this.#call, event, { signal: over.signal }));
      await Promise.race([once(this.#call, 'drain', { signal: over.signal }), ...gone]).catch(() => {});
      over.abort();
    }
  }

  /** No more standard input comes; on a terminal as Ctrl-D. */
  closeStdin(): void {
    this.#send({ $case: 'stdinClosed', value: {} });
  }

  /** The terminal has a new size. */
  resize(columns: number, rows: number): void {
    this.#send({ $case: 'resize', value: { columns, rows } });
  }

  /** Sends the command a signal, by its name ("SIGINT"). Not with `attach`. */
  signal(name: string): void {
    this.#send({ $case: 'signal', value: name });
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#cancel);
    this.#call.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecEnvEvent, void, undefined> {
    try {
      for await (const message of this.#call) {
        const { event } = message as ExecEnvResponse;
        if (event !== undefined) yield event;
        if (event?.event?.$case === 'ended') return;
      }
    } catch (error) {
      throw toRpcError(error, this.#signal);
    } finally {
      this.close();
    }
  }

  #send(request: ExecEnvRequest['request']): boolean {
    return this.#call.writable ? this.#call.write({ request }) : true;
  }
}
