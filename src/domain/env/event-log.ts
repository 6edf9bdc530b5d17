import { BerthError, invalid } from '../errors.js';
import {
  isTerminal,
  type Env,
  type EnvEvent,
  type EnvEventBody,
  type EnvState,
  type Operation,
} from './model.js';
import type { EnvStore } from './store.js';

/** Events read from the store at once. */
const PAGE = 100;

/** Where the events of an operation are. */
export interface OperationHandle {
  operationId: string;
  env: Env;
  /** The operation's events come after this `seq`. */
  afterSeq: number;
}

/**
 * The one way by which events get into an env's log and out of it. A reader always reads from the store and is only
 * woken from here: so there is no buffer that a slow reader could fill, no gap and no repeat between history and
 * present, and a fast writer never waits for a reader.
 */
export class EnvEventLog {
  /** Readers that are waiting, by env. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(private readonly store: EnvStore) {}

  async claim(env: Env, operation: Operation, events: EnvEventBody[]): ReturnType<EnvStore['claim']> {
    return await this.#telling([env.id], () => this.store.claim(env, operation, events));
  }

  async beginOperation(
    operation: Operation,
    from: readonly EnvState[],
    state: EnvState,
    events: EnvEventBody[],
  ): ReturnType<EnvStore['beginOperation']> {
    return await this.#telling([operation.envId], () =>
      this.store.beginOperation(operation, from, state, events),
    );
  }

  async commit(change: Parameters<EnvStore['commit']>[0]): Promise<EnvEvent[]> {
    const envIds = new Set((change.events ?? []).map((event) => event.envId));
    return await this.#telling([...envIds], () => this.store.commit(change));
  }

  /** Readers look again: where the answer of a commit was lost, what it did may be seen later than it failed. */
  wakeAll(): void {
    for (const envId of [...this.#waiting.keys()]) this.#wake(envId);
  }

  /** Wakes the readers also when the commit fails: that may have been its answer alone. */
  async #telling<T>(envIds: readonly string[], commit: () => Promise<T>): Promise<T> {
    try {
      return await commit();
    } finally {
      for (const envId of envIds) this.#wake(envId);
    }
  }

  /**
   * Events after `afterSeq`: history first, then as they come, until `signal` is aborted. The caller has checked that the
   * env is the tenant's.
   * @throws HISTORY_GONE when events after `afterSeq` are no longer kept; INVALID_ARGUMENT when it lies in the future
   */
  async *subscribe(envId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<EnvEvent> {
    if (afterSeq > (await this.store.lastSeq(envId))) {
      throw invalid({ field: 'after_seq', rule: 'must not be after the last event' });
    }
    let seq = afterSeq;
    while (!signal.aborted) {
      // Before the read: an event that is committed after it then ends the wait at once.
      const news = this.#nextEvent(envId, signal);
      try {
        const page = await this.store.events(envId, seq, PAGE);
        for (const event of page) {
          if (event.seq !== seq + 1) throw historyGone(envId, seq, event.seq);
          if (signal.aborted) return;
          yield event;
          seq = event.seq;
        }
        if (page.length === 0) await news.promise;
      } finally {
        news.cancel();
      }
    }
  }

  /** The events of one operation; ends after its terminal event. */
  async *follow(handle: OperationHandle, signal: AbortSignal): AsyncIterable<EnvEvent> {
    for await (const event of this.subscribe(handle.env.id, handle.afterSeq, signal)) {
      if (event.operationId !== handle.operationId) continue;
      yield event;
      if (isTerminal(event.body)) return;
    }
  }

  /**
   * As `follow`, for a reader that comes back: ends at once where it has had the terminal event.
   * @throws INVALID_ARGUMENT for an operation that the env does not have, which would never end; as `subscribe`
   */
  async *followAgain(handle: OperationHandle, signal: AbortSignal): AsyncIterable<EnvEvent> {
    const last = await this.#lastOf(handle);
    if (last === undefined) {
      throw invalid({ field: 'operation_id', rule: `must be an operation of ${handle.env.id}` });
    }
    if (isTerminal(last.body) && last.seq <= handle.afterSeq) return;
    yield* this.follow(handle, signal);
  }

  /** The newest event of an operation; undefined where none is kept. */
  async #lastOf({ operationId, env }: OperationHandle): Promise<EnvEvent | undefined> {
    let last: EnvEvent | undefined;
    for (let seq = 0; ;) {
      const page = await this.store.events(env.id, seq, PAGE);
      last = page.findLast((event) => event.operationId === operationId) ?? last;
      const end = page.at(-1);
      if (end === undefined || (last && isTerminal(last.body))) return last;
      seq = end.seq;
    }
  }

  /** Resolves when an event of the env is committed from now on, or when the signal is aborted. */
  #nextEvent(envId: string, signal: AbortSignal): { promise: Promise<void>; cancel(): void } {
    const waiting = this.#waiting.get(envId) ?? new Set();
    this.#waiting.set(envId, waiting);
    let wake!: () => void;
    const promise = new Promise<void>((resolve) => (wake = resolve));
    waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    const cancel = () => {
      signal.removeEventListener('abort', wake);
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiting.get(envId) === waiting) this.#waiting.delete(envId);
    };
    return { promise, cancel };
  }

  #wake(envId: string): void {
    for (const wake of this.#waiting.get(envId) ?? []) wake();
  }
}

function historyGone(envId: string, afterSeq: number, firstSeq: number): BerthError {
  return new BerthError(
    'HISTORY_GONE',
    `env ${envId}: the events after ${afterSeq} are no longer kept; the oldest one is ${firstSeq}`,
    { metadata: { first_seq: String(firstSeq) }, resource: { type: 'env', name: envId } },
  );
}
