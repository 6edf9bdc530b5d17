import type { LogChunk } from '../engine.js';
import type { LogAnchor } from './position.js';

/**
 * Standard output and standard error are stamped by two copiers of Docker's: their lines may stand in the log a little out
 * of order, within this time.
 */
const DISORDER_MS = 50;
/** Lines that are held while it is open whether the anchor still comes. */
const MAX_HELD = 1_000;

export type AnchoredLine = { kind: 'line'; chunk: LogChunk; anchor: LogAnchor };
export type Anchored = AnchoredLine | { kind: 'gap'; toTimestamp: string | undefined };

/** From when on to read, in milliseconds since the epoch, so that the anchor and all behind it are among the lines. */
export function sinceOf(anchor: LogAnchor): number {
  return Date.parse(anchor.timestamp) - DISORDER_MS;
}

/**
 * The lines behind the anchor, in the order of the log, each with its own place. Without an anchor: all. The anchor is
 * looked for, not computed: where it is no longer in the log, lines behind it may be gone as well, and a gap comes first.
 */
export async function* behindAnchor(
  chunks: AsyncIterable<LogChunk>,
  anchor: LogAnchor | undefined,
): AsyncGenerator<Anchored> {
  const last = { stdout: { timestamp: '', nth: 0 }, stderr: { timestamp: '', nth: 0 } };
  let seeking = anchor;
  let held: AnchoredLine[] = [];
  for await (const chunk of chunks) {
    const { stream, timestamp } = chunk;
    const before = last[stream];
    const nth = before.timestamp === timestamp ? before.nth + 1 : 1;
    last[stream] = { timestamp, nth };
    const line: AnchoredLine = { kind: 'line', chunk, anchor: { stream, timestamp, nth } };
    if (seeking === undefined) {
      yield line;
    } else if (stream === seeking.stream && timestamp === seeking.timestamp && nth === seeking.nth) {
      // What was held stands before it in the log.
      seeking = undefined;
      held = [];
    } else if (isPast(chunk, seeking) || held.length === MAX_HELD) {
      seeking = undefined;
      yield { kind: 'gap', toTimestamp: (held[0]?.chunk ?? chunk).timestamp };
      yield* held;
      held = [];
      yield line;
    } else if (timestamp > seeking.timestamp) {
      held.push({ ...line, chunk: { ...chunk, data: Uint8Array.from(chunk.data) } });
    }
  }
  if (seeking === undefined) return;
  yield { kind: 'gap', toTimestamp: held[0]?.chunk.timestamp };
  yield* held;
}

/** The anchor, had it been there, would have come by now. */
function isPast({ stream, timestamp }: LogChunk, anchor: LogAnchor): boolean {
  if (timestamp <= anchor.timestamp) return false;
  return stream === anchor.stream || Date.parse(timestamp) > Date.parse(anchor.timestamp) + DISORDER_MS;
}
