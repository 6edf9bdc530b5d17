import { status } from '@grpc/grpc-js';
import { OutputStream, type OutputChunk, type Usage } from './gen/berth/v1/common.js';
import type {
  EndReason,
  ExecuteEvent,
  ExecuteResponse,
  ExecutionEnded,
  ExecutionStarted,
} from './gen/berth/v1/sandbox_service.js';
import { BerthRpcError } from './rpc-error.js';

export const DEFAULT_MAX_COLLECTED_BYTES = 16 * 1024 * 1024;

/** An execution that has ended. */
export interface RunResult {
  /** Why it ended; only END_REASON_EXITED has an exit code. */
  reason: EndReason;
  exitCode: number | undefined;
  /** Name of the signal that ended it; empty for none. */
  signal: string;
  stdout: Buffer;
  stderr: Buffer;
  /** Whether output is missing: cut at the execution's limit, lost with its sandbox, or beyond what is collected here. */
  truncated: boolean;
  usage: Usage | undefined;
  /** What happened and what to do, for people; empty for an ordinary exit. */
  message: string;
  /** What served it. */
  started: ExecutionStarted;
  ended: ExecutionEnded;
}

/** Reads an execution to its end and keeps at most `maxBytes` of its output, both streams together. */
export async function collect(events: AsyncIterable<ExecuteEvent>, maxBytes: number): Promise<RunResult> {
  const output = new BoundedOutput(maxBytes);
  let started: ExecutionStarted | undefined;
  let ended: ExecutionEnded | undefined;
  for await (const { event } of events) {
    switch (event?.$case) {
      case 'started':
        started = event.value;
        break;
      case 'output':
        output.add(event.value);
        break;
      case 'ended':
        ended = event.value;
        break;
      case 'progress':
      case 'result':
      case 'artifact':
      case undefined:
        break;
    }
  }
  if (started === undefined || ended === undefined) throw incomplete();
  return toResult(started, ended, output);
}

/**
 * The events of an execution up to `ended`; a stream that ends without it did not complete, and that is an error. Left
 * before `ended`, the call is cancelled.
 */
export async function* executionEvents(
  responses: AsyncIterable<ExecuteResponse>,
): AsyncGenerator<ExecuteEvent, void, undefined> {
  const messages = responses[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { event } = next.value;
      if (event === undefined) continue;
      ended = event.event?.$case === 'ended';
      yield event;
      if (ended) return;
    }
  } finally {
    // Nothing more is said behind the terminal event, and its reader need not wait for the call's own end.
    if (ended) void toItsEnd(messages);
    else await messages.return?.();
  }
  throw incomplete();
}

/** So that the call need not be cancelled. What breaks now has no one left to concern. */
async function toItsEnd(messages: AsyncIterator<unknown>): Promise<void> {
  try {
    while ((await messages.next()).done !== true);
  } catch {
    // The execution has ended.
  }
}

function incomplete(): BerthRpcError {
  return new BerthRpcError(
    status.UNAVAILABLE,
    'the stream ended without its terminal event: whether the code ran to its end is not known',
  );
}

function toResult(started: ExecutionStarted, ended: ExecutionEnded, output: BoundedOutput): RunResult {
  return {
    reason: ended.reason,
    exitCode: ended.exitCode,
    signal: ended.signal,
    stdout: output.of(OutputStream.STDOUT),
    stderr: output.of(OutputStream.STDERR),
    truncated: ended.truncated || output.cut,
    usage: ended.usage,
    message: ended.message,
    started,
    ended,
  };
}

class BoundedOutput {
  readonly #chunks: OutputChunk[] = [];
  #left: number;
  cut = false;

  constructor(maxBytes: number) {
    this.#left = maxBytes;
  }

  add({ stream, data }: OutputChunk): void {
    const kept = data.subarray(0, this.#left);
    if (kept.byteLength < data.byteLength) this.cut = true;
    if (kept.byteLength === 0) return;
    this.#left -= kept.byteLength;
    this.#chunks.push({ stream, data: kept });
  }

  of(stream: OutputStream): Buffer {
    return Buffer.concat(this.#chunks.filter((chunk) => chunk.stream === stream).map(({ data }) => data));
  }
}
