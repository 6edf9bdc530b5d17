import { BerthError, invalid } from '../../errors.js';
import type { EnvEngine } from '../engine.js';
import type { EnvEventLog } from '../event-log.js';
import { ENDED_STATES, type Env } from '../model.js';
import type { EnvStore } from '../store.js';
import { ContainerBoard, type SeenContainer } from './container-board.js';
import type { LogEntry, PlacedEntry } from './entry.js';
import { inOrder, Merge } from './merge.js';
import { encodeCursor, parseCursor, type LogCursor, type ServicePosition } from './position.js';
import { checkLogRequest, type LogRequest } from './request.js';
import { ServiceLog } from './service-log.js';

export interface EnvLogsOptions {
  engine: EnvEngine;
  events: EnvEventLog;
  store: Pick<EnvStore, 'lastSeq'>;
  /** @throws ENV_NOT_FOUND */
  getEnv(tenant: string, envId: string): Promise<Env>;
}

/** An entry, and the cursor that takes the stream up behind it. */
export interface ToldEntry {
  entry: LogEntry;
  cursor: string;
}

/** The logs of envs. A reader that stops stops Docker: for each service there is one bounded buffer and nothing else. */
export class EnvLogs {
  constructor(private readonly options: EnvLogsOptions) {}

  /**
   * The history of all services in the order of time; with `follow` then what comes, until the env is gone.
   * @throws INVALID_ARGUMENT, ENV_NOT_FOUND, ENV_CONTAINER_MISSING, OVERLOADED, DOCKER_UNAVAILABLE
   */
  async *stream(request: LogRequest, signal: AbortSignal): AsyncGenerator<ToldEntry> {
    checkLogRequest(request);
    const after = request.after === '' ? undefined : parseCursor(request.after);
    const lastSeq = await this.options.store.lastSeq(request.envId);
    const env = await this.options.getEnv(request.tenant, request.envId);
    const stop = new AbortController();
    const reading = new Reading(this.options, request, after, AbortSignal.any([signal, stop.signal]));
    const isWanted = filterOf(request);
    try {
      for await (const { entry, position } of reading.entries(env, lastSeq, () => stop.abort())) {
        reading.cursor.services.set(entry.service, position);
        if (isWanted(entry)) yield { entry, cursor: encodeCursor(reading.cursor) };
      }
    } finally {
      stop.abort();
    }
  }
}

/** One stream of logs. */
class Reading {
  /** How far it has been told. */
  readonly cursor: { since: number | undefined; services: Map<string, ServicePosition> };
  readonly #logs = new Map<string, ServiceLog>();

  constructor(
    private readonly options: EnvLogsOptions,
    private readonly request: LogRequest,
    after: LogCursor | undefined,
    private readonly signal: AbortSignal,
  ) {
    this.cursor = { since: after?.since ?? request.since, services: new Map(after?.services) };
  }

  async *entries(env: Env, lastSeq: number, stop: () => void): AsyncGenerator<PlacedEntry> {
    const { envId, follow } = this.request;
    const { engine } = this.options;
    const board = await ContainerBoard.open(engine, envId, this.signal);
    this.#checkServices(env, board.services);
    const present = this.#newServices(board, asItIs);
    yield* inOrder(
      present.map(({ log }) => log.history(board)),
      ({ entry }) => (entry.kind === 'line' ? entry.chunk.timestamp : ''),
    );
    // The history is told, also of services that had none.
    for (const { log, container } of present) this.cursor.services.set(container.service, log.position);
    if (!follow) return;
    const merge = new Merge<PlacedEntry>(stop);
    for (const { log } of present) merge.add(log.follow(board));
    void this.#keepUp(board, merge);
    void this.#endWith(env, lastSeq, board, merge);
    yield* merge;
  }

  /** Adds the services that come while it is followed. */
  async #keepUp(board: ContainerBoard, merge: Merge<PlacedEntry>): Promise<void> {
    try {
      while (!board.isOver) {
        const { version } = board;
        for (const { log } of this.#newServices(board, unheardOf)) merge.add(log.follow(board));
        await board.changedFrom(version);
      }
      merge.close();
    } catch (error) {
      merge.fail(error);
    }
  }

  /** An env that is destroyed, or whose deployment failed, has no more logs. */
  async #endWith(env: Env, lastSeq: number, board: ContainerBoard, merge: Merge<PlacedEntry>): Promise<void> {
    try {
      for await (const { body } of this.options.events.subscribe(env.id, lastSeq, this.signal)) {
        if (body.type === 'state_changed' && ENDED_STATES.includes(body.state)) return board.end();
      }
    } catch (error) {
      merge.fail(error);
    }
  }

  #newServices(
    board: ContainerBoard,
    begin: (container: SeenContainer, tail: number | undefined) => ServicePosition,
  ): { log: ServiceLog; container: SeenContainer }[] {
    const { request, signal, cursor } = this;
    const wanted = request.services.length === 0 ? board.services : request.services;
    return wanted.flatMap((service) => {
      const container = board.find(service);
      if (container === undefined || this.#logs.has(service)) return [];
      const position = cursor.services.get(service) ?? begin(container, request.tail);
      const log = new ServiceLog({
        engine: this.options.engine,
        service,
        position,
        follow: request.follow,
        since: cursor.since,
        until: request.until,
        signal,
      });
      this.#logs.set(service, log);
      cursor.services.set(service, position);
      return [{ log, container }];
    });
  }

  #checkServices(env: Env, present: readonly string[]): void {
    const gone = ENDED_STATES.includes(env.state);
    if (present.length === 0 && (gone || !this.request.follow)) {
      throw new BerthError(
        'ENV_CONTAINER_MISSING',
        `${env.id} is ${env.state} and has no containers, so there is no log`,
        {
          resource: { type: 'env', name: env.id },
          metadata: { state: env.state },
        },
      );
    }
    const unknown = this.request.services.filter((service) => !present.includes(service));
    if (present.length > 0 && unknown.length > 0)
      throw invalid({
        field: 'services',
        rule: `must be of ${present.join(', ')}; not ${unknown.join(', ')}`,
      });
  }
}

/** A container that was there: nothing of its present run is news but its lines. */
function asItIs(container: SeenContainer, tail: number | undefined): ServicePosition {
  const { id, running, startedAt, finishedAt } = container;
  return { containerId: id, anchor: undefined, tail, running, startedAt, finishedAt };
}

/** A container that came while the logs were followed: its start is news, and all that it writes. */
function unheardOf({ id }: SeenContainer): ServicePosition {
  return {
    containerId: id,
    anchor: undefined,
    tail: undefined,
    running: false,
    startedAt: 0,
    finishedAt: 0,
  };
}

function filterOf({ contains, stream }: LogRequest): (entry: LogEntry) => boolean {
  const text = Buffer.from(contains, 'utf8');
  return (entry) => {
    if (entry.kind !== 'line') return true;
    const { data, stream: from } = entry.chunk;
    if (stream !== undefined && from !== stream) return false;
    return text.length === 0 || Buffer.from(data.buffer, data.byteOffset, data.byteLength).includes(text);
  };
}
