import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorReason } from '../../error-reasons.js';
import { isBerthError } from '../../errors.js';
import { LogReaderBehind, type EnvEngine } from '../engine.js';
import { copyOf } from './behind-anchor.js';
import type { ContainerBoard, SeenContainer } from './container-board.js';
import type { PlacedEntry } from './entry.js';
import { LogBell } from './log-bell.js';
import { LogReads, stamped, type ToldLine, type WantedLines } from './log-reads.js';
import type { LogAnchor, ServicePosition } from './position.js';

/** Before Docker is asked again where it, or the reader, was in trouble. */
const REOPEN_PAUSE_MS = 1_000;
/** At least, between the beginnings of two reads while a log is followed, so that a busy app costs no more than ten a second. */
const FOLLOW_PERIOD_MS = 100;
/** How long a bell may hang in silence: at first, doubled each time, and at most. */
const SILENCE_MS = 1_000;
const MAX_SILENCE_MS = 60_000;
/** What ends a read only for now. */
const PASSING: readonly ErrorReason[] = ['DOCKER_UNAVAILABLE', 'OVERLOADED'];
/** Lines that are held while it is looked whether they may be told. */
const STRAGGLERS = 100;

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
  readonly #reads: LogReads;
  /** Where Docker could not read the log. */
  #unreadable: { anchor: LogAnchor | undefined } | undefined;

  constructor(private readonly options: ServiceLogOptions) {
    this.#position = options.position;
    this.#reads = new LogReads(options.engine, options.signal);
  }

  get position(): ServicePosition {
    return this.#position;
  }

  /** What has been written so far; where what befell the container is told as well, only what comes before that. */
  async *history(board: ContainerBoard): AsyncGenerator<PlacedEntry> {
    const present = board.find(this.options.service);
    if (present?.id !== this.#position.containerId) yield* this.#containerGone(present, undefined);
    const { follow } = this.options;
    const { tail } = this.#position;
    // What is written while the last lines are looked for comes behind them, and only who follows wants it.
    let left = follow || tail === undefined ? Infinity : tail;
    // The last line is asked for even where none is wanted: it is where to go on from.
    for await (const placed of this.#readAll(board, tail === 0 ? 1 : tail)) {
      if (tail === 0) continue;
      yield placed;
      if (placed.entry.kind === 'line' && --left === 0) break;
    }
    this.#move({ tail: undefined });
  }

  /** What comes from then on, over restarts and replacements of the container. Ends when the env is gone. */
  async *follow(board: ContainerBoard): AsyncGenerator<PlacedEntry> {
    try {
      for (;;) {
        const { version } = board;
        const container = board.find(this.options.service);
        if (container?.id === this.#position.containerId) {
          if (yield* this.#told(board, container)) continue;
          if (container.running) {
            yield* this.#followRun(board, container);
            continue;
          }
        } else if (container !== undefined || this.#position.running) {
          yield* this.#containerGone(container, board);
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
  async *#told(board: ContainerBoard, container: SeenContainer): AsyncGenerator<PlacedEntry, boolean> {
    const { running, startedAt, finishedAt } = this.#position;
    const sameRun = container.running && container.startedAt === startedAt;
    if (running && !sameRun) {
      yield* this.#endOfRun(board, container);
      return true;
    }
    if (!running && container.running) {
      this.#move({ running: true, startedAt: container.startedAt });
      yield this.#changed({ running: true, time: container.startedAt, exitCode: undefined });
      return true;
    }
    // It came and went unseen.
    if (!running && container.finishedAt > finishedAt) {
      yield* this.#endOfRun(board, container);
      return true;
    }
    return false;
  }

  /** The last lines of the last run that ended, and its end; or less than that, where the container is to be looked at anew. */
  async *#endOfRun(board: ContainerBoard, container: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { since } = this.options;
    const { running, startedAt, finishedAt, diedAt, exitCode } = container;
    // Lines of a new run come behind the news of it.
    const until = diedAt !== undefined ? diedAt + 1 : running ? startedAt : undefined;
    try {
      yield* this.#read({ since, until });
      if (until !== undefined && !running) yield* this.#stragglers(board, container);
    } catch (error) {
      if (this.#isPassing(error)) {
        await this.#pause();
        return board.look();
      }
      if (!isBerthError(error, 'ENV_CONTAINER_MISSING')) throw error;
      yield this.#removedEarly();
    }
    this.#release();
    this.#move({ running: false, finishedAt: Math.max(finishedAt, this.#position.finishedAt + 1) });
    yield this.#changed({ running: false, time: finishedAt || undefined, exitCode });
  }

  /**
   * Lines stamped after the end that Docker told, as where the host's clock was set back. Where the container runs again by
   * then they may be of the new run, and are left to it.
   */
  async *#stragglers(board: ContainerBoard, container: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { service } = this.options;
    for (let isMore = true; isMore;) {
      const late = await this.#nextFew();
      if (late.length === 0) return;
      await board.look();
      const now = board.find(service);
      if (now?.id !== container.id || now.running || now.finishedAt !== container.finishedAt) return;
      for (const item of late) yield this.#placed(item);
      isMore = late.length === STRAGGLERS;
    }
  }

  /** Nothing where the container is gone by now: what it had said until its end is told. */
  async #nextFew(): Promise<ToldLine[]> {
    const { containerId, anchor } = this.#position;
    const few: ToldLine[] = [];
    try {
      for await (const item of this.#reads.behind(containerId, anchor, { since: this.options.since })) {
        few.push(item.kind === 'line' ? { ...item, chunk: copyOf(item.chunk) } : item);
        if (few.length === STRAGGLERS) break;
      }
    } catch (error) {
      if (!isBerthError(error, 'ENV_CONTAINER_MISSING')) throw error;
    }
    return few;
  }

  /** The container that the position is about no longer exists. @param board undefined: what became of it was not heard */
  async *#containerGone(
    successor: SeenContainer | undefined,
    board: ContainerBoard | undefined,
  ): AsyncGenerator<PlacedEntry> {
    this.#release();
    const { containerId, running, finishedAt } = this.#position;
    if (running || board?.wasStartedAfter(containerId, finishedAt)) yield this.#removedEarly();
    if (running) {
      this.#move({ running: false });
      yield this.#changed({ running: false, time: undefined, exitCode: board?.exitCodeOf(containerId) });
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
    this.#release();
    this.#release = this.options.engine.holdLog(container.id);
    const run = board.watchRun(container);
    try {
      yield* this.#readAtBells(container.id, run.signal);
    } catch (error) {
      if (isBerthError(error, 'DOCKER_UNAVAILABLE')) this.#release();
      // Whether the container is gone, the board knows.
      if (!this.#isPassing(error) && !isBerthError(error, 'ENV_CONTAINER_MISSING')) throw error;
    } finally {
      run.close();
    }
    await board.look();
    // Docker ended the stream for no reason that can be seen, or could not open it, or the reader was slow.
    if (board.isInRun(container)) await this.#pause();
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
        if (run.aborted) return;
        yield* this.#read({ since });
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

  /** The history to the present end, however slow the reader. @throws as `#read`, but for what is bridged */
  async *#readAll(board: ContainerBoard, tail: number | undefined): AsyncGenerator<PlacedEntry> {
    const { since, until, follow, service } = this.options;
    for (;;) {
      const container = board.find(service);
      if (follow && container?.id !== this.#position.containerId) return;
      const isNewRun = container?.running && container.startedAt !== this.#position.startedAt;
      try {
        yield* this.#read({ since, until: follow && isNewRun ? container.startedAt : until, tail });
        return;
      } catch (error) {
        const isBridged = follow && isBerthError(error, 'DOCKER_UNAVAILABLE');
        if (!(error instanceof LogReaderBehind) && !isBridged) throw error;
        await this.#pause();
        if (follow) await board.look();
      }
    }
  }

  /** What stands behind the last line told, to the present end. @throws as `LogReads.behind` */
  async *#read(wanted: WantedLines): AsyncGenerator<PlacedEntry> {
    const { containerId, anchor } = this.#position;
    // Docker would leave the last line told out of the answer, and nothing follows it.
    if (anchor !== undefined && wanted.until !== undefined && Date.parse(anchor.timestamp) >= wanted.until)
      return;
    for await (const item of this.#reads.behind(containerId, anchor, wanted)) yield this.#placed(item);
    this.#unreadable = undefined;
  }

  #placed(item: ToldLine): PlacedEntry {
    if (item.kind === 'gap')
      return this.#gap(item.toTimestamp, 'the log was rotated before these lines were read');
    this.#move({ anchor: item.anchor, tail: undefined });
    const entry = { kind: 'line', service: this.options.service, chunk: item.chunk } as const;
    return { entry, position: this.#position };
  }

  /** Whether Docker, or the reader, was in trouble that passes. */
  #isPassing(error: unknown): boolean {
    if (error instanceof LogReaderBehind || PASSING.some((reason) => isBerthError(error, reason)))
      return true;
    if (!isBerthError(error, 'DOCKER_ERROR')) return false;
    // Docker may not have been able to read its own file (while rotating it); the same place twice is no accident.
    const { anchor } = this.#position;
    const isAccident = this.#unreadable === undefined || this.#unreadable.anchor !== anchor;
    this.#unreadable = { anchor };
    return isAccident;
  }

  async #pause(): Promise<void> {
    const { engine, signal } = this.options;
    await delay(REOPEN_PAUSE_MS, undefined, { signal });
    await engine.available(signal);
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
