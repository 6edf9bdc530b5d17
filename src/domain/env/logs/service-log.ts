import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorReason } from '../../error-reasons.js';
import { BerthError, isBerthError } from '../../errors.js';
import { LogReaderBehind, type EnvEngine, type LogChunk, type LogOptions } from '../engine.js';
import { behindAnchor, type Anchored } from './behind-anchor.js';
import type { ContainerBoard, SeenContainer } from './container-board.js';
import type { PlacedEntry } from './entry.js';
import { LogBell } from './log-bell.js';
import type { LogAnchor, ServicePosition } from './position.js';

/** A plain read keeps its files, rotated or not; a reader that stops must not keep them on the disk for long. */
const READ_PATIENCE_MS = 5_000;
/** Before Docker is asked again where it, or the reader, was in trouble. */
const REOPEN_PAUSE_MS = 1_000;
/** At least, between the beginnings of two reads while a log is followed, so that a busy app costs no more than ten a second. */
const FOLLOW_PERIOD_MS = 100;
/** How long a bell may hang in silence: at first, doubled each time, and at most. */
const SILENCE_MS = 1_000;
const MAX_SILENCE_MS = 60_000;
/** How many of a log's last lines are read to find the last line told among them: at first, and how fast it grows. */
const REACH_LINES = 64;
const REACH_GROWTH = 32;
/** From there on the whole log is read. */
const MAX_REACH_LINES = 100_000;
/** What ends a follow only for now; whether the container is gone, the board knows. */
const PASSING: readonly ErrorReason[] = ['DOCKER_UNAVAILABLE', 'OVERLOADED', 'ENV_CONTAINER_MISSING'];
/** Width of a timestamp of Docker's; a message without one is Docker's own error. */
const TIMESTAMP_CHARACTERS = 30;

export interface ServiceLogOptions {
  engine: Pick<EnvEngine, 'logs' | 'holdLog' | 'available'>;
  service: string;
  /** Where to begin. */
  position: ServicePosition;
  /** Whether to bridge times without Docker. */
  follow: boolean;
  /** As `LogOptions`. */
  since: number | undefined;
  until: number | undefined;
  signal: AbortSignal;
}

/**
 * The log of one service over the life of its containers: every line once, in the order in which it was written. Lines come
 * from reads of what there is, which Docker makes of files that it holds open, and each read but the first begins behind
 * the last line told: so nothing (rotation, the container's end, Docker's, a slow reader) makes a gap or a repeat, and where
 * that line is gone, a gap is told. Docker's follow says when to read, never what was written.
 */
export class ServiceLog {
  #position: ServicePosition;
  #release: () => void = () => {};
  /** From then on a shortage of streams to Docker is waited for. */
  #isFollowing = false;
  /** Of the next read, in lines; undefined: the whole log. */
  #reach: number | undefined = REACH_LINES;

  constructor(private readonly options: ServiceLogOptions) {
    this.#position = options.position;
  }

  get position(): ServicePosition {
    return this.#position;
  }

  /** What has been written so far. @param present the container that the service has now */
  async *history(present: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { since, until, follow } = this.options;
    if (present.id !== this.#position.containerId) yield* this.#containerGone(undefined, present);
    const { tail } = this.#position;
    // The last line is asked for even where none is wanted: it is where to go on from.
    const wanted = { since, until, tail: tail === 0 ? 1 : tail };
    // What is written while the last lines are looked for comes behind them, and only who follows wants it.
    let left = follow || tail === undefined ? Infinity : tail;
    for await (const placed of this.#readAll(wanted)) {
      if (tail === 0) continue;
      yield placed;
      if (placed.entry.kind === 'line' && --left === 0) break;
    }
    this.#move({ tail: undefined });
  }

  /** What comes from then on, over restarts and replacements of the container. Ends when the env is gone. */
  async *follow(board: ContainerBoard): AsyncGenerator<PlacedEntry> {
    this.#isFollowing = true;
    try {
      for (;;) {
        const { version } = board;
        const container = board.find(this.options.service);
        if (container?.id === this.#position.containerId) {
          if (yield* this.#told(container)) continue;
          if (container.running) {
            yield* this.#followRun(board, container);
            continue;
          }
        } else if (container !== undefined || this.#position.running) {
          yield* this.#containerGone(board.exitCodeOf(this.#position.containerId), container);
          continue;
        }
        if (board.isOver) return;
        await board.changedFrom(version);
      }
    } finally {
      this.#release();
    }
  }

  /** Tells what happened to the container since it was last told of. @returns whether there was anything */
  async *#told(container: SeenContainer): AsyncGenerator<PlacedEntry, boolean> {
    const { running, startedAt, finishedAt } = this.#position;
    const sameRun = container.running && container.startedAt === startedAt;
    if (running && !sameRun) {
      yield* this.#endOfRun(container);
      return true;
    }
    if (!running && container.running) {
      this.#move({ running: true, startedAt: container.startedAt });
      yield this.#changed({ running: true, time: container.startedAt, exitCode: undefined });
      return true;
    }
    // It came and went unseen.
    if (!running && container.finishedAt > finishedAt) {
      yield* this.#endOfRun(container);
      return true;
    }
    return false;
  }

  async *#endOfRun(container: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { finishedAt, exitCode, diedAt } = container;
    // Of a container that runs again, lines of its new run come behind the news of it.
    const until = container.running ? (diedAt ?? container.startedAt - 1) + 1 : undefined;
    try {
      yield* this.#readAll({ since: this.options.since, until });
    } catch (error) {
      if (!isBerthError(error, 'ENV_CONTAINER_MISSING')) throw error;
      yield this.#removedEarly();
    }
    this.#release();
    this.#move({ running: false, finishedAt: Math.max(finishedAt, this.#position.finishedAt + 1) });
    yield this.#changed({ running: false, time: finishedAt || undefined, exitCode });
  }

  /** The container that the position is about no longer exists. */
  async *#containerGone(
    exitCode: number | undefined,
    successor: SeenContainer | undefined,
  ): AsyncGenerator<PlacedEntry> {
    this.#release();
    if (this.#position.running) {
      this.#move({ running: false });
      yield this.#removedEarly();
      yield this.#changed({ running: false, time: undefined, exitCode });
    }
    if (successor !== undefined)
      this.#position = {
        containerId: successor.id,
        anchor: undefined,
        tail: undefined,
        running: false,
        startedAt: 0,
        finishedAt: 0,
      };
  }

  /** Follows one run of the container, as long as Docker is there. */
  async *#followRun(board: ContainerBoard, container: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { engine, signal } = this.options;
    const { anchor } = this.#position;
    this.#release();
    this.#release = engine.holdLog(container.id);
    const run = board.watchRun(container);
    try {
      yield* this.#readAtBells(container.id, run.signal);
      if (run.signal.aborted) return signal.throwIfAborted();
    } catch (error) {
      if (isBerthError(error, 'DOCKER_UNAVAILABLE')) this.#release();
      // Docker may not have been able to read its own file (while rotating it); the same place twice is no accident.
      const unreadable = isBerthError(error, 'DOCKER_ERROR') && this.#position.anchor !== anchor;
      if (!unreadable && !PASSING.some((reason) => isBerthError(error, reason))) throw error;
    } finally {
      run.close();
    }
    await board.look();
    // Docker ended the stream for no reason that can be seen, or could not open it.
    if (!board.isInRun(container)) return;
    await delay(REOPEN_PAUSE_MS, undefined, { signal });
    await engine.available(signal);
  }

  /** Reads whenever there is something to read, until Docker ends the log, or the signal says that the run is over. */
  async *#readAtBells(containerId: string, run: AbortSignal): AsyncGenerator<PlacedEntry> {
    const { engine, since, signal } = this.options;
    let silenceMs = SILENCE_MS;
    while (!run.aborted) {
      const begun = performance.now();
      const { anchor } = this.#position;
      const bell = new LogBell(
        (over) => stamped(engine.logs(containerId, { follow: true, tail: 1 }, over)),
        // Before the first line is told, whatever is wanted is news.
        (last) => anchor !== undefined || Date.parse(last.timestamp) < (since ?? 0),
        run,
      );
      try {
        // From then on it rings for whatever the read does not see.
        if (anchor !== undefined) await bell.hung;
        yield* this.#readAll({ since });
        if (this.#position.anchor !== anchor) silenceMs = SILENCE_MS;
        const heard = await bell.within(silenceMs);
        if (heard === 'ended') return;
        if (heard === 'silent') silenceMs = Math.min(silenceMs * 2, MAX_SILENCE_MS);
      } finally {
        bell.close();
      }
      const pauseMs = begun + FOLLOW_PERIOD_MS - performance.now();
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal });
    }
  }

  /** Reads to the present end, however slow the reader. @throws ENV_CONTAINER_MISSING */
  async *#readAll(options: Omit<LogOptions, 'follow'>): AsyncGenerator<PlacedEntry> {
    const { engine, follow, signal } = this.options;
    for (;;) {
      try {
        yield* this.#read({ ...options, follow: false, giveUpAfterMs: READ_PATIENCE_MS });
        return;
      } catch (error) {
        const bridged =
          (follow && isBerthError(error, 'DOCKER_UNAVAILABLE')) ||
          (this.#isFollowing && isBerthError(error, 'OVERLOADED'));
        if (!(error instanceof LogReaderBehind) && !bridged) throw error;
        await delay(REOPEN_PAUSE_MS, undefined, { signal });
        await engine.available(signal);
      }
    }
  }

  /** Reads what stands behind the last line told; without one what the options say. */
  async *#read(options: LogOptions): AsyncGenerator<PlacedEntry> {
    const { tail, ...rest } = options;
    if (this.#position.anchor === undefined && tail !== undefined) await this.#goToLast(options, tail);
    if (this.#position.anchor === undefined) {
      if (tail === undefined) yield* this.#readPart(rest);
      return;
    }
    // From the end, since Docker finds that at once, and a time only by reading all that is older.
    delete rest.since;
    while (yield* this.#readPart({ ...rest, tail: this.#reach })) this.#reach = furtherThan(this.#reach);
  }

  /**
   * Goes to right before the last so many lines, if there are any. Which of its time the first of these is cannot be seen
   * from it and the lines behind it (the pieces of a long line have one time): it takes a look at what stands before.
   */
  async #goToLast(options: LogOptions, tail: number): Promise<void> {
    const { engine, signal } = this.options;
    const { containerId } = this.#position;
    const read = (part: LogOptions): AsyncIterable<LogChunk> =>
      stamped(engine.logs(containerId, part, signal));
    const wanted = await firstTime(behindAnchor(read(options), undefined));
    if (wanted === undefined) return;
    const before: LogAnchor = { ...wanted.place, nth: 0 };
    const { follow, giveUpAfterMs } = options;
    let lines: number | undefined = tail + REACH_LINES;
    let all: FirstTime | undefined;
    for (;;) {
      all = await firstTime(behindAnchor(read({ follow, giveUpAfterMs, tail: lines }), before, lines));
      if (all !== undefined || lines === undefined) break;
      lines = furtherThan(lines);
    }
    // Pieces that came meanwhile only make it begin so much later.
    const isThere = all?.place.stream === before.stream && all.place.timestamp === before.timestamp;
    this.#move({ anchor: { ...before, nth: isThere ? Math.max((all?.count ?? 0) - wanted.count, 0) : 0 } });
    this.#reach = lines;
  }

  /** @returns whether it began too late to say what stands behind the last line told */
  async *#readPart(options: LogOptions): AsyncGenerator<PlacedEntry, boolean> {
    const { engine, service, signal } = this.options;
    const { anchor, containerId } = this.#position;
    const { tail, since, until } = options;
    let read = 0;
    let told = 0;
    const chunks = stamped(engine.logs(containerId, options, signal), () => read++);
    for await (const item of behindAnchor(chunks, anchor, tail)) {
      if (item.kind === 'cut') return true;
      if (item.kind === 'gap') {
        yield this.#gap(item.toTimestamp, 'the log was rotated before these lines were read');
        continue;
      }
      // Docker's own limit is not exact.
      if (until !== undefined && Date.parse(item.chunk.timestamp) >= until) continue;
      told++;
      this.#move({ anchor: item.anchor, tail: undefined });
      yield { entry: { kind: 'line', service, chunk: item.chunk }, position: this.#position };
    }
    const isWhole = since === undefined && (tail === undefined || read < tail);
    this.#reach = isWhole && read < REACH_LINES ? undefined : REACH_LINES + 2 * told;
    return false;
  }

  #move(change: Partial<ServicePosition>): void {
    this.#position = { ...this.#position, ...change };
  }

  #removedEarly(): PlacedEntry {
    const container = this.#position.containerId.slice(0, 12);
    return this.#gap(
      undefined,
      `container ${container} was removed before its log was read to the end; its last lines may be missing`,
    );
  }

  #gap(toTimestamp: string | undefined, reason: string): PlacedEntry {
    const { service } = this.options;
    const { anchor } = this.#position;
    const fromTime = anchor && Date.parse(anchor.timestamp);
    const toTime = toTimestamp === undefined ? undefined : Date.parse(toTimestamp);
    return { entry: { kind: 'gap', service, fromTime, toTime, reason }, position: this.#position };
  }

  #changed(what: { running: boolean; time: number | undefined; exitCode: number | undefined }): PlacedEntry {
    const { service } = this.options;
    const { containerId } = this.#position;
    return { entry: { kind: 'container_changed', service, containerId, ...what }, position: this.#position };
  }
}

/** Docker puts its own errors among the lines, without a time. */
async function* stamped(chunks: AsyncIterable<LogChunk>, onChunk?: () => void): AsyncGenerator<LogChunk> {
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
