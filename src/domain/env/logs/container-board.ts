import { setTimeout as delay } from 'node:timers/promises';
import { isBerthError } from '../../errors.js';
import type { EnvEngine, ProjectContainer, ProjectEvent } from '../engine.js';

/** Between two tries, when Docker says that it is there and then does not answer. */
const RETRY_MS = 500;
/** Ends of one container that are remembered: that of its last run, and those that come while Docker is asked about it. */
const REMEMBERED_ENDS = 3;

/** The container of a service, as last seen. Times: milliseconds since the epoch, 0 for never. */
export interface SeenContainer {
  id: string;
  service: string;
  running: boolean;
  /** When the present run began; 0 unless it runs. */
  startedAt: number;
  /** When the last run ended. */
  finishedAt: number;
  /** Of the last run that ended; undefined: not known. */
  exitCode: number | undefined;
  /** When Docker told of that end, which is behind the run's last line; undefined: it was not heard. */
  diedAt: number | undefined;
}

interface RunEnd {
  exitCode: number | undefined;
  time: number;
}

/** What was heard of a container. */
interface Heard {
  /** The newest last. */
  ends: RunEnd[];
  /** When it was last started; 0: nothing was heard of that. */
  startedAt: number;
  /** Of the first look that knows of its last end. */
  endTicket: number;
}

/**
 * The containers of one env as they are now, kept by looking again at each event of Docker's. Nothing queues up for a
 * reader that stops: it sees the present when it looks. While Docker is away, the last look stands.
 */
export class ContainerBoard {
  /** Rises with each change. */
  version = 0;
  /** The env is gone: no more containers come. */
  isOver = false;
  #containers: SeenContainer[] = [];
  readonly #heardOf = new Map<string, Heard>();
  readonly #waiting = new Set<() => void>();
  readonly #watchers = new Set<() => void>();
  #failure: unknown;
  /** Looks that were asked for, and how many of these the last look answers. */
  #asked = 1;
  #answered = 0;
  #wake: () => void = () => {};

  /** Resolves after the first look. It looks until the signal is aborted. @throws as `EnvEngine.inspect` */
  static async open(engine: EnvEngine, envId: string, signal: AbortSignal): Promise<ContainerBoard> {
    const board = new ContainerBoard(engine, envId, signal);
    void board.#keep();
    await board.#answeredUpTo(1);
    return board;
  }

  private constructor(
    private readonly engine: EnvEngine,
    private readonly envId: string,
    private readonly signal: AbortSignal,
  ) {
    const ended = (): void => {
      this.#wake();
      this.#changed();
    };
    signal.addEventListener('abort', ended, { once: true });
  }

  get services(): string[] {
    return this.#containers.map(({ service }) => service);
  }

  find(service: string): SeenContainer | undefined {
    return this.#containers.find((container) => container.service === service);
  }

  /** Whether the container is still in the run in which it was seen: no look, and no event, says otherwise. */
  isInRun({ id, service, startedAt }: SeenContainer): boolean {
    const now = this.find(service);
    const endTicket = this.#heardOf.get(id)?.endTicket ?? 0;
    return endTicket <= this.#answered && now?.id === id && now.running && now.startedAt === startedAt;
  }

  /**
   * A signal that is aborted when the container is no longer in that run, or when no more will be known. To be closed.
   * @throws what ended the board
   */
  watchRun(container: SeenContainer): { signal: AbortSignal; close(): void } {
    this.#throwIfEnded();
    const over = new AbortController();
    const look = (): void => {
      if (this.#failure !== undefined || this.signal.aborted || !this.isInRun(container)) over.abort();
    };
    look();
    this.#watchers.add(look);
    return { signal: over.signal, close: () => void this.#watchers.delete(look) };
  }

  /** Exit code of the last end of a container that was heard of, also when it is gone. */
  exitCodeOf(containerId: string): number | undefined {
    return this.#heardOf.get(containerId)?.ends.at(-1)?.exitCode;
  }

  /** Whether it was heard that a container was started after that time, also when it is gone. Milliseconds since the epoch. */
  wasStartedAfter(containerId: string, time: number): boolean {
    return (this.#heardOf.get(containerId)?.startedAt ?? 0) > time;
  }

  /** The env is gone. */
  end(): void {
    this.isOver = true;
    this.#changed();
  }

  /** Resolves when the board is no longer at `version`. @throws what ended it */
  async changedFrom(version: number): Promise<void> {
    while (this.version === version) {
      this.#throwIfEnded();
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    this.#throwIfEnded();
  }

  /** Looks again; resolves when that is done, be it when Docker is back. @throws what ended it */
  async look(): Promise<void> {
    const ticket = ++this.#asked;
    this.#wake();
    await this.#answeredUpTo(ticket);
  }

  async #answeredUpTo(ticket: number): Promise<void> {
    while (this.#answered < ticket) {
      this.#throwIfEnded();
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    this.#throwIfEnded();
  }

  #throwIfEnded(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
    this.signal.throwIfAborted();
  }

  async #keep(): Promise<void> {
    while (!this.signal.aborted) {
      try {
        await this.#watch();
      } catch (error) {
        if (this.signal.aborted) return;
        // What keeps it from the first look is the answer to whoever asked; later it is a time to bridge.
        if (this.#answered === 0 || !isBerthError(error, 'DOCKER_UNAVAILABLE')) {
          this.#failure = error;
          this.#changed();
          return;
        }
      }
      await delay(RETRY_MS, undefined, { signal: this.signal })
        .then(() => this.engine.available(this.signal))
        .catch(() => undefined);
    }
  }

  /** Looks whenever an event came or somebody asked; returns when no more events come. */
  async #watch(): Promise<void> {
    let lost = false;
    const watch = await this.engine.watch(
      this.envId,
      (event) => this.#heard(event),
      () => {
        lost = true;
        this.#wake();
      },
    );
    try {
      while (!lost && !this.signal.aborted) {
        const ticket = this.#asked;
        if (ticket > this.#answered) await this.#lookNow(ticket);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (this.#asked !== ticket || lost || this.signal.aborted) resolve();
        });
      }
    } finally {
      watch.close();
      // Events may have been missed by the time there is a watch again.
      this.#asked++;
    }
  }

  async #lookNow(ticket: number): Promise<void> {
    const containers = await this.engine.inspect(this.envId, this.signal);
    this.#containers = containers.map((container) => this.#seen(container));
    this.#answered = ticket;
    this.#changed();
  }

  #seen(container: ProjectContainer): SeenContainer {
    const { id, service, state, startedAt, exitCode, finishedAt = 0 } = container;
    const running = state === 'running' || state === 'paused';
    // Not the end of an earlier run, nor of the present one, which may come before this answer does.
    const end = this.#heardOf
      .get(id)
      ?.ends.findLast(({ time }) => time >= finishedAt && (!running || time <= startedAt));
    return {
      id,
      service,
      running,
      startedAt: running ? startedAt : 0,
      finishedAt,
      exitCode: running ? end?.exitCode : exitCode,
      diedAt: end?.time,
    };
  }

  #heard({ action, containerId, exitCode, time }: ProjectEvent): void {
    if (action !== 'start' && action !== 'die' && action !== 'destroy') return;
    const ticket = ++this.#asked;
    const heard = this.#heardOf.get(containerId) ?? { ends: [], startedAt: 0, endTicket: 0 };
    if (action === 'start') heard.startedAt = time;
    if (action === 'die') {
      heard.ends = [...heard.ends, { exitCode, time }].slice(-REMEMBERED_ENDS);
      heard.endTicket = ticket;
    }
    this.#heardOf.set(containerId, heard);
    this.#wake();
    // Whoever follows the run shall not read on until a look has said what became of it.
    if (action === 'die') for (const look of this.#watchers) look();
  }

  #changed(): void {
    this.version++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
    for (const look of this.#watchers) look();
  }
}
