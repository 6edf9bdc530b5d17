import { BerthError } from '../../errors.js';
import type { EnvEngine, LogChunk, LogOptions } from '../engine.js';
import { behindAnchor, type Anchored } from './behind-anchor.js';
import type { LogAnchor } from './position.js';

/** A plain read keeps its files, rotated or not; a reader that stops must not keep them on the disk for long. */
const READ_PATIENCE_MS = 5_000;
/** How many of a log's last lines are read to find the last line told among them: at first, and how fast it grows. */
const REACH_LINES = 64;
const REACH_GROWTH = 32;
/** From there on the whole log is read. */
const MAX_REACH_LINES = 100_000;
/** Width of a timestamp of Docker's; a message without one is Docker's own error. */
const TIMESTAMP_CHARACTERS = 30;

const PLAIN = { follow: false, giveUpAfterMs: READ_PATIENCE_MS } as const;

/** Which lines of a log are wanted: as in `LogOptions`; `tail` counts only where no line has been told. */
export type WantedLines = Pick<LogOptions, 'since' | 'until' | 'tail'>;

/** A line, or a gap where lines are gone. */
export type ToldLine = Exclude<Anchored, { kind: 'cut' }>;

/** Reads of the logs of one service, each to where the log ended when it began. It learns how far back to begin. */
export class LogReads {
  /** Of the next read, in lines; undefined: the whole log. */
  #reach: number | undefined = REACH_LINES;

  constructor(
    private readonly engine: Pick<EnvEngine, 'logs'>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The lines behind the last one told, with a gap where that one is gone; where none was told, the wanted ones.
   * @throws LogReaderBehind, and as `EnvEngine.logs`
   */
  async *behind(
    containerId: string,
    told: LogAnchor | undefined,
    wanted: WantedLines,
  ): AsyncGenerator<ToldLine> {
    const { tail, ...rest } = wanted;
    let place = told;
    if (place === undefined && tail !== undefined) {
      place = await this.#beforeLast(containerId, wanted, tail);
      if (place === undefined) return;
    }
    // From the end, since Docker finds that at once, and a time only by reading all that is older.
    if (place !== undefined) delete rest.since;
    for (let isCut = true; isCut;) {
      isCut = false;
      const part = place === undefined ? rest : { ...rest, tail: this.#reach };
      for await (const item of this.#part(containerId, place, part)) {
        if (item.kind === 'cut') {
          isCut = true;
          break;
        }
        if (item.kind === 'line') place = item.anchor;
        yield item;
      }
      if (isCut) this.#reach = furtherThan(this.#reach);
    }
  }

  /**
   * The place right before the last so many lines, if there are any. Which of its time the first of these is cannot be seen
   * from it and the lines behind it (the pieces of a long line have one time): it takes a look at what stands before.
   */
  async #beforeLast(containerId: string, wanted: WantedLines, tail: number): Promise<LogAnchor | undefined> {
    const read = (part: WantedLines): AsyncIterable<LogChunk> => this.#read(containerId, part);
    const first = await firstTime(behindAnchor(read(wanted), undefined));
    if (first === undefined) return undefined;
    const before: LogAnchor = { ...first.place, nth: 0 };
    let lines: number | undefined = tail + REACH_LINES;
    let all: FirstTime | undefined;
    for (;;) {
      all = await firstTime(behindAnchor(read({ tail: lines }), before, lines));
      if (all !== undefined || lines === undefined) break;
      lines = furtherThan(lines);
    }
    this.#reach = lines;
    // Pieces that came meanwhile only make it begin so much later.
    const isThere = all?.place.stream === before.stream && all.place.timestamp === before.timestamp;
    return { ...before, nth: isThere ? Math.max((all?.count ?? 0) - first.count, 0) : 0 };
  }

  async *#part(
    containerId: string,
    place: LogAnchor | undefined,
    part: WantedLines,
  ): AsyncGenerator<Anchored> {
    const { tail, since, until } = part;
    let read = 0;
    let told = 0;
    const chunks = this.#read(containerId, part, () => read++);
    for await (const item of behindAnchor(chunks, place, tail)) {
      if (item.kind === 'line') {
        // Docker's own limit is not exact.
        if (until !== undefined && Date.parse(item.chunk.timestamp) >= until) continue;
        told++;
      }
      yield item;
      if (item.kind === 'cut') return;
    }
    const isWhole = since === undefined && (tail === undefined || read < tail);
    this.#reach = isWhole && read < REACH_LINES ? undefined : REACH_LINES + 2 * told;
  }

  #read(containerId: string, part: WantedLines, onChunk?: () => void): AsyncGenerator<LogChunk> {
    return stamped(this.engine.logs(containerId, { ...part, ...PLAIN }, this.signal), onChunk);
  }
}

/** The chunks of a log. @throws DOCKER_ERROR where Docker puts its own errors among the lines, which it does without a time */
export async function* stamped(
  chunks: AsyncIterable<LogChunk>,
  onChunk?: () => void,
): AsyncGenerator<LogChunk> {
  for await (const chunk of chunks) {
    if (chunk.timestamp.length !== TIMESTAMP_CHARACTERS) {
      const said = `${chunk.timestamp} ${Buffer.from(chunk.data).toString('utf8', 0, 500).trim()}`;
      throw new BerthError('DOCKER_ERROR', `Docker cannot read a log: ${said}`);
    }
    onChunk?.();
    yield chunk;
  }
}

/** As many last lines of a log as are read next where `lines` were too few; undefined: all. */
function furtherThan(lines: number | undefined): number | undefined {
  if (lines === undefined) throw new Error('there is no more than the whole log');
  const further = lines * REACH_GROWTH;
  return further > MAX_REACH_LINES ? undefined : further;
}

interface FirstTime {
  /** Of the first line. */
  place: LogAnchor;
  /** Lines of its output and time. */
  count: number;
}

/** @returns undefined where there is no line, or where it cannot be said */
async function firstTime(items: AsyncIterable<Anchored>): Promise<FirstTime | undefined> {
  let first: FirstTime | undefined;
  for await (const item of items) {
    if (item.kind === 'cut') return undefined;
    if (item.kind === 'gap') continue;
    const { stream, timestamp } = item.anchor;
    first ??= { place: item.anchor, count: 0 };
    if (stream !== first.place.stream) continue;
    if (timestamp !== first.place.timestamp) return first;
    first.count++;
  }
  return first;
}
