import { setTimeout as delay } from 'node:timers/promises';
import { BerthError, isBerthError } from '../../errors.js';
import { LogReaderBehind, type EnvEngine, type LogChunk, type LogOptions } from '../engine.js';
import { behindAnchor, sinceOf } from './behind-anchor.js';
import type { ContainerBoard, SeenContainer } from './container-board.js';
import type { PlacedEntry } from './entry.js';
import type { ServicePosition } from './position.js';

/**
 * Docker's follow jumps to the newest file when the one it reads was rotated away behind a reader that is slow, and does not
 * say so. It writes at most some 100 MB a second, so that after this time with a full buffer it is no longer believed: the
 * log is read again from the last line on, which is there or is not.
 */
const FOLLOW_PATIENCE_MS = 100;
/** A plain read keeps its files, rotated or not; a reader that stops must not keep them on the disk for long. */
const READ_PATIENCE_MS = 5_000;
/** Between two openings of a log, since each makes Docker read all of its files. */
const REOPEN_PAUSE_MS = 1_000;
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
 * The log of one service over the life of its containers: every line once, in the order in which it was written. Each
 * opening of a log begins at the last line told, so that whatever ends a stream (the container, Docker, a slow reader)
 * leaves neither gap nor repeat; where that line is gone, a gap is told.
 */
export class ServiceLog {
  #position: ServicePosition;
  #release: () => void = () => {};

  constructor(private readonly options: ServiceLogOptions) {
    this.#position = options.position;
  }

  get position(): ServicePosition {
    return this.#position;
  }

  /** What has been written so far. @param present the container that the service has now */
  async *history(present: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { since, until } = this.options;
    if (present.id !== this.#position.containerId) yield* this.#containerGone(undefined, present);
    const { tail } = this.#position;
    // The last line is asked for even where none is wanted: it is where to go on from.
    const wanted = { since, until, tail: tail === 0 ? 1 : tail };
    for await (const placed of this.#readAll(wanted)) if (tail !== 0) yield placed;
    this.#move({ tail: undefined });
  }

  /** What comes from then on, over restarts and replacements of the container. Ends when the env is gone. */
  async *follow(board: ContainerBoard): AsyncGenerator<PlacedEntry> {
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

  /** Follows one run of the container for as long as Docker and the reader keep up. */
  async *#followRun(board: ContainerBoard, container: SeenContainer): AsyncGenerator<PlacedEntry> {
    const { engine, since, signal } = this.options;
    const { anchor } = this.#position;
    this.#release();
    this.#release = engine.holdLog(container.id);
    let paused = false;
    try {
      yield* this.#read({ follow: true, since, giveUpAfterMs: FOLLOW_PATIENCE_MS });
    } catch (error) {
      // Docker may not have been able to read its own file (while rotating it); the same place twice is no accident.
      const unreadable = isBerthError(error, 'DOCKER_ERROR') && this.#position.anchor !== anchor;
      if (error instanceof LogReaderBehind || unreadable || isBerthError(error, 'DOCKER_UNAVAILABLE')) {
        this.#release();
        paused = true;
        await delay(REOPEN_PAUSE_MS, undefined, { signal });
        await engine.available(signal);
        if (error instanceof LogReaderBehind) yield* this.#catchUp();
      } else if (!isBerthError(error, 'ENV_CONTAINER_MISSING')) {
        throw error;
      }
    }
    await board.look();
    const now = board.find(this.options.service);
    // Docker ended the stream for no reason that can be seen.
    const stillRuns = now?.id === container.id && now.running && now.startedAt === container.startedAt;
    if (stillRuns && !paused) await delay(REOPEN_PAUSE_MS, undefined, { signal });
  }

  /** What a reader that was too slow to follow has not had yet. */
  async *#catchUp(): AsyncGenerator<PlacedEntry> {
    try {
      yield* this.#readAll({ since: this.options.since });
    } catch (error) {
      // The next look at the board tells.
      if (!isBerthError(error, 'ENV_CONTAINER_MISSING')) throw error;
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
        const bridged = follow && isBerthError(error, 'DOCKER_UNAVAILABLE');
        if (!(error instanceof LogReaderBehind) && !bridged) throw error;
        await delay(REOPEN_PAUSE_MS, undefined, { signal });
        await engine.available(signal);
      }
    }
  }

  /** Opens the log behind the last line told; without one as the options say. */
  async *#read(options: LogOptions): AsyncGenerator<PlacedEntry> {
    const { engine, service, signal } = this.options;
    const { anchor, containerId } = this.#position;
    const wanted: LogOptions = { ...options };
    if (anchor !== undefined) {
      wanted.since = Math.max(sinceOf(anchor), 0);
      delete wanted.tail;
    }
    const { until } = options;
    for await (const item of behindAnchor(stamped(engine.logs(containerId, wanted, signal)), anchor)) {
      if (item.kind === 'gap') {
        yield this.#gap(item.toTimestamp, 'the log was rotated before these lines were read');
        continue;
      }
      // Docker's own limit is not exact.
      if (until !== undefined && Date.parse(item.chunk.timestamp) >= until) continue;
      this.#move({ anchor: item.anchor, tail: undefined });
      yield { entry: { kind: 'line', service, chunk: item.chunk }, position: this.#position };
    }
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
async function* stamped(chunks: AsyncIterable<LogChunk>): AsyncGenerator<LogChunk> {
  for await (const chunk of chunks) {
    if (chunk.timestamp.length !== TIMESTAMP_CHARACTERS) {
      const said = `${chunk.timestamp} ${Buffer.from(chunk.data).toString('utf8', 0, 500).trim()}`;
      throw new BerthError('DOCKER_ERROR', `Docker cannot read a log: ${said}`);
    }
    yield chunk;
  }
}
