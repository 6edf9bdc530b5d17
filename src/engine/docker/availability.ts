import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../telemetry/logger.js';
import { deferred } from '../../lib/deferred.js';
import { unlessAborted } from '../../lib/unless-aborted.js';
import type { DockerCalls } from './docker-calls.js';
import { DockerError, unreachableText } from './docker-error.js';
import type { DockerStream, DockerStreams } from './docker-streams.js';
import { knock } from './knock.js';
import { OWNER_LABEL } from './labels.js';
import type { DockerFailure } from './worker/failure.js';
import type { DockerEvent } from './worker/stream-messages.js';

const EVENT_WINDOW_BYTES = 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A Docker that shuts down lets streams that are open go on until its containers have stopped, and takes no new calls. */
const KNOCK_INTERVAL_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
/** Docker Engine 20.10, in which everything that Berth asks for is there. */
const NEEDED_API: ApiVersion = [1, 41];

type ApiVersion = readonly [major: number, minor: number];

/** `down` also before the first handshake. Times are milliseconds since the epoch. */
export type DockerState =
  | { state: 'up'; version: string; apiVersion: string; since: number }
  | { state: 'down'; reason: string; since: number };

export interface EventSubscriber {
  event(event: DockerEvent): void;
  /** Docker went away: events may have been missed from here on. */
  lost(reason: string): void;
}

/** A container, of whomever, has left a network: nothing of it is in the network's way any more. */
export type DepartureListener = (networkId: string, containerId: string) => void;

/**
 * Whether Docker is there, told by two event streams that stay open: their end is noticed at once, and within a second that
 * nothing listens any more. While Docker is away, a handshake is tried with growing pauses. One stream carries the events of
 * this owner's containers, the other one tells of containers that have left networks, of which Docker tells no labels: watchers
 * cost no streams.
 */
export class DockerAvailability {
  #state: DockerState = { state: 'down', reason: 'not tried yet', since: Date.now() };
  readonly #listeners = new Set<(state: DockerState) => void>();
  readonly #subscribers = new Set<EventSubscriber>();
  readonly #departureListeners = new Set<DepartureListener>();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(
    private readonly options: {
      calls: DockerCalls;
      streams: DockerStreams;
      owner: string;
      dockerHost: string;
      logger: Logger;
    },
  ) {}

  get state(): DockerState {
    return this.#state;
  }

  /** @returns a function that ends it */
  onChange(listener: (state: DockerState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Events of this owner's containers from now on. @returns undefined while Docker is away, else a function that ends it */
  subscribe(subscriber: EventSubscriber): (() => void) | undefined {
    if (this.#state.state !== 'up') return undefined;
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** While Docker is away there are none, and what happened meanwhile is not told later. @returns a function that ends it */
  onDeparture(listener: DepartureListener): () => void {
    this.#departureListeners.add(listener);
    return () => this.#departureListeners.delete(listener);
  }

  /** Resolves when Docker is up, at once where it is. @throws the signal's reason */
  async whenUp(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state.state === 'up') return;
    const up = deferred();
    const unsubscribe = this.onChange(({ state }) => {
      if (state === 'up') up.resolve();
    });
    await unlessAborted(up.promise, signal).finally(unsubscribe);
  }

  /** Resolves when the first attempt is over, whatever came of it. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#loop = this.#keepWatching(resolve);
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    this.#listeners.clear();
    this.#departureListeners.clear();
  }

  async #keepWatching(attempted: () => void): Promise<void> {
    const { signal } = this.#stopping;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      let failure: DockerFailure | undefined;
      try {
        const { ended } = await this.#connect();
        retryMs = FIRST_RETRY_MS;
        attempted();
        failure = await ended;
      } catch (error) {
        failure = error instanceof DockerError ? error.failure : { code: 'defect', message: String(error) };
      }
      this.#goDown(failure);
      attempted();
      if (signal.aborted) return;
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    }
  }

  /** Handshake, then the event streams: resolves when Docker is up, `ended` when it no longer is. */
  async #connect(): Promise<{ ended: Promise<DockerFailure | undefined> }> {
    const { calls, streams, owner } = this.options;
    const { signal } = this.#stopping;
    const answer = await calls.run({ op: 'version' }, { signal, timeoutMs: HANDSHAKE_TIMEOUT_MS });
    calls.refusal = refusalOf(answer);
    if (calls.refusal !== undefined) throw new DockerError({ code: 'unsupported', message: calls.refusal });
    const apiVersion = negotiate(answer);
    calls.apiVersion = apiVersion;
    streams.apiVersion = apiVersion;

    const end = deferred<DockerFailure | undefined>();
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.all([
        this.#follow(
          { type: ['container'], label: [`${OWNER_LABEL}=${owner}`] },
          (event) => {
            for (const subscriber of [...this.#subscribers]) subscriber.event(event);
          },
          end.resolve,
          until,
        ),
        this.#follow(
          { type: ['network'], event: ['disconnect'] },
          ({ actorId, attributes }) => {
            for (const told of [...this.#departureListeners]) told(actorId, attributes['container'] ?? '');
          },
          end.resolve,
          until,
        ),
      ]);
    } catch (error) {
      over.abort();
      throw error;
    }
    this.#change({ state: 'up', version: answer.version, apiVersion, since: Date.now() });
    void this.#deaf(over.signal).then((failure) => failure && end.resolve(failure));
    return { ended: end.promise.finally(() => over.abort()) };
  }

  /** Resolves when the stream is open; it ends with the signal. */
  async #follow(
    filters: Record<string, string[]>,
    take: (event: DockerEvent) => void,
    ended: (failure: DockerFailure | undefined) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const stream: DockerStream = await this.options.streams.open(
      { kind: 'events', filters },
      {
        message: (message) => {
          if (message.kind !== 'event') return;
          take(message.event);
          stream.credit(message.bytes);
        },
        ended,
      },
      { windowBytes: EVENT_WINDOW_BYTES, signal },
    );
    const cancel = (): void => stream.cancel();
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  }

  /** Resolves when nothing listens any more where Docker was, or when the signal is aborted. */
  async #deaf(signal: AbortSignal): Promise<DockerFailure | undefined> {
    let failure: DockerFailure | undefined;
    while (failure === undefined && !signal.aborted) {
      await delay(KNOCK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) failure = await knock(this.options.dockerHost);
    }
    return failure;
  }

  #goDown(failure: DockerFailure | undefined): void {
    const reason = reasonOf(failure);
    for (const subscriber of [...this.#subscribers]) subscriber.lost(reason);
    this.#subscribers.clear();
    if (this.#state.state === 'up' || this.#state.reason !== reason) {
      this.#change({ state: 'down', reason, since: Date.now() });
    }
  }

  #change(state: DockerState): void {
    this.#state = state;
    const { logger } = this.options;
    if (state.state === 'up')
      logger.info({ version: state.version, apiVersion: state.apiVersion }, 'docker is up');
    else if (!this.#stopping.signal.aborted) logger.warn({ reason: state.reason }, 'docker is down');
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function reasonOf(failure: DockerFailure | undefined): string {
  if (failure === undefined)
    return "Docker ended its event stream; start it with 'systemctl start docker' or 'dockerd'";
  return failure.code === 'unreachable' ? unreachableText(failure) : failure.message;
}

interface Handshake {
  version: string;
  apiVersion: string;
  minApiVersion: string;
}

function refusalOf(answer: Handshake): string | undefined {
  if (compare(parse(answer.apiVersion), NEEDED_API) >= 0) return undefined;
  return `Docker Engine ${answer.version} (API ${answer.apiVersion}) is too old; Berth needs Docker Engine 20.10 or later`;
}

/** The version Berth is written for, or the oldest that a newer daemon still speaks. */
function negotiate(answer: Handshake): string {
  const oldest = parse(answer.minApiVersion);
  return (compare(oldest, NEEDED_API) > 0 ? oldest : NEEDED_API).join('.');
}

function parse(version: string): ApiVersion {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return [major, minor];
}

function compare(a: ApiVersion, b: ApiVersion): number {
  return a[0] - b[0] || a[1] - b[1];
}
