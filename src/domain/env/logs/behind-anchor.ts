import type { LogChunk } from '../engine.js';
import type { LogAnchor } from './position.js';

/**
 * Standard output and standard error are stamped by two copiers of Docker's: their lines may stand in the log a little out
 * of order, within this time.
 */
const DISORDER_MS = 50;
/** Lines that are held while it is open whether the anchor still comes. */
const MAX_HELD = 1_000;

export type AnchoredLine = {
  kind: 'line';
  chunk: LogChunk;
  anchor: LogAnchor;
};
export type Anchored =
  | AnchoredLine
  | { kind: 'gap'; toTimestamp: string | undefined }
  /** The lines read begin too late to say what comes next. It is the last item. */
  | { kind: 'cut' };

/**
 * The lines behind the anchor, in the order of the log, each with its own place. Without an anchor: all. The anchor is
 * looked for, not computed: where it is no longer in the log, lines behind it may be gone as well, and a gap comes first.
 * @param lines how many of the log's last lines were asked for; undefined: all there are
 */
export async function* behindAnchor(
  chunks: AsyncIterable<LogChunk>,
  anchor: LogAnchor | undefined,
  lines?: number,
): AsyncGenerator<Anchored> {
  const extent = new Extent(lines);
  const last = { stdout: { timestamp: '', nth: 0 }, stderr: { timestamp: '', nth: 0 } };
  let seeking = anchor;
  let held: AnchoredLine[] = [];
  let heldAreCounted = true;
  for await (const chunk of chunks) {
    const { stream, timestamp } = chunk;
    const before = last[stream];
    const nth = before.timestamp === timestamp ? before.nth + 1 : 1;
    last[stream] = { timestamp, nth };
    const counted = extent.counts(chunk);
    const line: AnchoredLine = { kind: 'line', chunk, anchor: { stream, timestamp, nth } };
    if (seeking === undefined) {
      if (!counted) return yield { kind: 'cut' };
      yield line;
    } else if (stream === seeking.stream && timestamp === seeking.timestamp) {
      if (!counted) return yield { kind: 'cut' };
      if (nth < seeking.nth) continue;
      // What was held stands before it in the log.
      const isBehind = nth > seeking.nth;
      seeking = undefined;
      held = [];
      if (isBehind) yield line;
    } else if (isPast(chunk, seeking) || held.length === MAX_HELD) {
      if (!extent.holds(seeking) || !heldAreCounted || !counted) return yield { kind: 'cut' };
      const rest = [...held, line];
      seeking = undefined;
      held = [];
      yield { kind: 'gap', toTimestamp: rest[0]?.chunk.timestamp };
      yield* rest;
    } else if (timestamp > seeking.timestamp) {
      heldAreCounted &&= counted;
      held.push({ ...line, chunk: copyOf(chunk) });
    }
  }
  if (seeking === undefined) return;
  if (!extent.holds(seeking) || !heldAreCounted) return yield { kind: 'cut' };
  yield { kind: 'gap', toTimestamp: held[0]?.chunk.timestamp };
  yield* held;
}

/** A chunk that may be kept: its bytes are whoever reads the log's only until the next one. */
export function copyOf(chunk: LogChunk): LogChunk {
  return { ...chunk, data: Uint8Array.from(chunk.data) };
}

/** The anchor, had it been there, would have come by now. */
function isPast({ stream, timestamp }: LogChunk, anchor: LogAnchor): boolean {
  if (timestamp <= anchor.timestamp) return false;
  return stream === anchor.stream || Date.parse(timestamp) > Date.parse(anchor.timestamp) + DISORDER_MS;
}

/** From where on a log was read: what stood before the first line is not known, but that it is not later. */
class Extent {
  readonly #first = { stdout: '', stderr: '' };
  /** When the first line was written, in milliseconds since the epoch. */
  #firstMs: number | undefined;

  constructor(private readonly lines: number | undefined) {}

  /**
   * Told of every line in turn.
   * @returns whether no line of its output and time can stand before what was read, so that its `nth` is right
   */
  counts({ stream, timestamp }: LogChunk): boolean {
    this.#firstMs ??= Date.parse(timestamp);
    this.#first[stream] ||= timestamp;
    return this.lines === undefined || timestamp > this.#first[stream] || this.#isWellBehind(timestamp);
  }

  /** Whether the anchor, if it is still in the log, is among what was read. */
  holds({ stream, timestamp }: LogAnchor): boolean {
    if (this.lines === undefined) return true;
    const first = this.#first[stream];
    return (first !== '' && first < timestamp) || this.#isWellBehind(timestamp);
  }

  #isWellBehind(timestamp: string): boolean {
    return this.#firstMs !== undefined && Date.parse(timestamp) > this.#firstMs + DISORDER_MS;
  }
}
