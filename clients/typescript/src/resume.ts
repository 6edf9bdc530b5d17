import { status } from '@grpc/grpc-js';
import type { CallOptions } from './calls.js';
import type { Connection } from './connection.js';
import { BerthRpcError } from './rpc-error.js';

export interface ResumeOptions extends CallOptions {
  /** How long to try to take a lost stream up again, in milliseconds. Default 120000. 0: never. */
  resumeForMs?: number;
  /** Told each time that the connection was lost and the stream is going to be taken up again. */
  onResume?: (lost: BerthRpcError) => void;
}

/** A stream that can be taken up behind the last message that was received. */
export interface Source<Message> {
  /** `last` is undefined as long as nothing has been received. */
  open(last: Message | undefined, options: CallOptions): AsyncIterable<Message>;
  /** Where given, a stream that ends without such a message did not complete. */
  isLast?(message: Message): boolean;
  /** Whether the stream can be taken up behind this message; undefined: from its beginning. Default: always. */
  isResumable?(last: Message | undefined): boolean;
}

const DEFAULT_RESUME_FOR_MS = 120_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;

/** What a broken connection, or a daemon that goes down, looks like where Berth itself gave no reason. */
const LOST_CODES: readonly status[] = [status.UNAVAILABLE, status.INTERNAL, status.CANCELLED, status.UNKNOWN];

/** Reads a source to its end, taking it up again after each loss. Every message comes exactly once. */
export async function* resumed<Message>(
  connection: Connection,
  source: Source<Message>,
  { resumeForMs = DEFAULT_RESUME_FOR_MS, onResume, signal, timeoutMs }: ResumeOptions = {},
): AsyncGenerator<Message, void, undefined> {
  const endsAtMs = timeoutMs === undefined ? Infinity : Date.now() + timeoutMs;
  // A daemon that was not there to begin with is an error at once; only what began is taken up again.
  const mayBeLost = resumeForMs > 0 && (await connection.connectOnce(signal));
  let last: Message | undefined;
  let failures = 0;
  let lostSinceMs = 0;

  for (;;) {
    let lost: BerthRpcError;
    const openedMs = Date.now();
    try {
      const left = endsAtMs === Infinity ? undefined : endsAtMs - Date.now();
      for await (const message of source.open(last, { signal, timeoutMs: left })) {
        last = message;
        failures = 0;
        yield message;
        if (source.isLast?.(message)) return;
      }
      if (source.isLast === undefined) return;
      lost = new BerthRpcError(status.UNAVAILABLE, 'the stream ended without its terminal event');
    } catch (error) {
      if (!mayBeLost || signal?.aborted || !isLoss(error, last !== undefined)) throw error;
      lost = error;
    }

    // A stream that stood for a while did work, though it may have had nothing to say.
    if (Date.now() - openedMs > LONGEST_PAUSE_MS) failures = 0;
    if (failures === 0) lostSinceMs = Date.now();
    if (source.isResumable?.(last) === false) throw lost;
    const giveUpAtMs = Math.min(lostSinceMs + resumeForMs, endsAtMs);
    if (!mayBeLost || Date.now() >= giveUpAtMs) throw lost;
    if (failures === 0) onResume?.(lost);
    const pauseMs = lost.retryAfterMs ?? Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
    failures += 1;
    await connection.pause(Math.min(pauseMs, Math.max(giveUpAtMs - Date.now(), 0)), signal);
    if (!(await connection.connectUntil(giveUpAtMs, signal))) throw lost;
  }
}

/**
 * Whether the stream may go on elsewhere. A typed refusal of the first try is the answer to the request; later it may only
 * mean that the daemon is going down, or coming up.
 */
function isLoss(error: unknown, begun: boolean): error is BerthRpcError {
  if (!(error instanceof BerthRpcError)) return false;
  if (error.reason === undefined) return LOST_CODES.includes(error.code);
  return begun && (error.code === status.UNAVAILABLE || error.retryAfterMs !== undefined);
}
