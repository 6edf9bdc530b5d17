import type {
  Checkpoint,
  Env,
  EnvEvent,
  EnvEventBody,
  EnvKey,
  EnvState,
  Operation,
} from '../../../src/domain/env/model.js';
import { ENDED_STATES, isTerminal } from '../../../src/domain/env/model.js';
import type {
  CheckpointChange,
  EnvFilter,
  EnvStore,
  LeaseStore,
  NewEvent,
  Page,
  PortStore,
} from '../../../src/domain/env/store.js';
import { BerthError } from '../../../src/domain/errors.js';

type Change = Parameters<EnvStore['commit']>[0];

/**
 * EnvStore in memory with the rules of the real one: UNIQUE keys, conditional updates, `seq` without gaps. Every call
 * yields first, so that callers interleave. It refuses what the real one would: a terminal event twice, an event after it.
 */
export class FakeEnvStore implements EnvStore {
  readonly envs = new Map<string, Env>();
  readonly operations = new Map<string, Operation>();
  readonly log = new Map<string, EnvEvent[]>();
  readonly #checkpoints = new Map<string, Map<number, Checkpoint>>();

  async claim(env: Env, operation: Operation, events: EnvEventBody[]): ReturnType<EnvStore['claim']> {
    await Promise.resolve();
    this.#assertUnused(operation);
    const holder = this.#live(env);
    if (holder) return { conflict: structuredClone(holder) };
    this.envs.set(env.id, structuredClone(env));
    this.operations.set(operation.id, structuredClone(operation));
    return { env: structuredClone(env), events: this.#append(ofOperation(operation, events)) };
  }

  async beginOperation(
    operation: Operation,
    from: readonly EnvState[],
    state: EnvState,
    events: EnvEventBody[],
  ): ReturnType<EnvStore['beginOperation']> {
    await Promise.resolve();
    this.#assertUnused(operation);
    const env = this.envs.get(operation.envId);
    if (!env || env.tenant !== operation.tenant || ENDED_STATES.includes(env.state))
      return { refused: undefined };
    if (!from.includes(env.state)) return { refused: structuredClone(env) };
    Object.assign(env, { stateReason: '', state, updatedAt: env.updatedAt + 1 });
    this.operations.set(operation.id, structuredClone(operation));
    return { env: structuredClone(env), events: this.#append(ofOperation(operation, events)) };
  }

  async get(tenant: string, envId: string): Promise<Env | undefined> {
    await Promise.resolve();
    const env = this.envs.get(envId);
    return env?.tenant === tenant ? structuredClone(env) : undefined;
  }

  async findLive(key: EnvKey): Promise<Env | undefined> {
    await Promise.resolve();
    return structuredClone(this.#live(key));
  }

  async list(filter: EnvFilter): Promise<Page<Env>> {
    await Promise.resolve();
    return {
      items: [...this.envs.values()].filter((env) => env.tenant === filter.tenant),
      nextPageToken: '',
    };
  }

  async listLive(): Promise<Env[]> {
    await Promise.resolve();
    return structuredClone([...this.envs.values()].filter((env) => !ENDED_STATES.includes(env.state)));
  }

  async findOperationByRequest(tenant: string, requestId: string): Promise<Operation | undefined> {
    await Promise.resolve();
    return structuredClone(
      [...this.operations.values()].find((one) => one.tenant === tenant && one.requestId === requestId),
    );
  }

  async getOperation(operationId: string): Promise<Operation | undefined> {
    await Promise.resolve();
    return structuredClone(this.operations.get(operationId));
  }

  async lastOutcome(envId: string): Promise<Operation | undefined> {
    await Promise.resolve();
    return structuredClone(
      [...this.operations.values()].findLast(
        (one) =>
          one.envId === envId &&
          one.kind !== 'extend' &&
          one.kind !== 'join' &&
          (one.state === 'succeeded' || (one.error !== null && !one.error.cancelled)),
      ),
    );
  }

  async listUnfinished(): Promise<Operation[]> {
    await Promise.resolve();
    const unfinished = ['running', 'undoing', 'undo_incomplete'];
    return structuredClone([...this.operations.values()].filter((one) => unfinished.includes(one.state)));
  }

  async commit(change: Change): Promise<EnvEvent[]> {
    await Promise.resolve();
    const { env, operation, checkpoints = [], newOperation } = change;
    if (newOperation) {
      this.#assertUnused(newOperation);
      this.operations.set(newOperation.id, structuredClone(newOperation));
    }
    if (env) {
      const row = this.envs.get(env.id);
      if (!row) throw new Error(`no env ${env.id}`);
      if (ENDED_STATES.includes(row.state) && env.patch.state && !ENDED_STATES.includes(env.patch.state)) {
        throw new BerthError('ENV_STATE', `env ${env.id} is ${row.state}`);
      }
      for (const [key, value] of Object.entries(env.patch)) {
        if (value !== undefined) Object.assign(row, { [key]: structuredClone(value) });
      }
      row.updatedAt++;
    }
    if (operation) {
      const row = this.operations.get(operation.id);
      if (!row) throw new Error(`no operation ${operation.id}`);
      row.state = operation.state;
      if (operation.error !== undefined) row.error = structuredClone(operation.error);
    }
    for (const checkpoint of checkpoints) this.#save(checkpoint);
    return this.#append(change.events ?? []);
  }

  async saveActivities(activities: Parameters<EnvStore['saveActivities']>[0]): Promise<void> {
    await Promise.resolve();
    for (const { envId, activity } of activities) {
      const row = this.envs.get(envId);
      if (row && activity.at > (row.lastActivity?.at ?? 0)) row.lastActivity = { ...activity };
    }
  }

  async saveDiskBytes(sizes: ReadonlyMap<string, number>): Promise<void> {
    await Promise.resolve();
    for (const [envId, diskBytes] of sizes) Object.assign(this.envs.get(envId) ?? {}, { diskBytes });
  }

  async checkpoints(operationId: string): Promise<Checkpoint[]> {
    await Promise.resolve();
    const rows = [...(this.#checkpoints.get(operationId)?.values() ?? [])];
    return structuredClone(rows.sort((a, b) => a.ordinal - b.ordinal));
  }

  async events(envId: string, afterSeq: number, limit: number): Promise<EnvEvent[]> {
    await Promise.resolve();
    return (this.log.get(envId) ?? []).filter((event) => event.seq > afterSeq).slice(0, limit);
  }

  async lastSeq(envId: string): Promise<number> {
    await Promise.resolve();
    return this.log.get(envId)?.at(-1)?.seq ?? 0;
  }

  #live(key: EnvKey): Env | undefined {
    return [...this.envs.values()].find(
      (env) =>
        env.tenant === key.tenant &&
        env.userId === key.userId &&
        env.systemId === key.systemId &&
        env.appId === key.appId &&
        !ENDED_STATES.includes(env.state),
    );
  }

  #assertUnused({ tenant, requestId }: Operation): void {
    const used = [...this.operations.values()].some(
      (one) => one.tenant === tenant && one.requestId === requestId,
    );
    if (requestId !== '' && used)
      throw new BerthError('REQUEST_ID_REUSED', `request_id ${requestId} is used`);
  }

  #save(checkpoint: CheckpointChange): void {
    const rows = this.#checkpoints.get(checkpoint.operationId) ?? new Map<number, Checkpoint>();
    this.#checkpoints.set(checkpoint.operationId, rows);
    const before = rows.get(checkpoint.ordinal);
    rows.set(checkpoint.ordinal, {
      ...checkpoint,
      data: structuredClone(checkpoint.data ?? before?.data ?? {}),
      startedAt: before?.startedAt ?? 0,
      endedAt: checkpoint.state === 'intent' ? null : 0,
    });
  }

  #append(news: NewEvent[]): EnvEvent[] {
    return news.map(({ envId, operationId, body }) => {
      const log = this.log.get(envId) ?? [];
      this.log.set(envId, log);
      const ended = log.some((event) => event.operationId === operationId && isTerminal(event.body));
      if (isTerminal(body) && ended) throw new Error(`operation ${operationId} would end twice`);
      const event = {
        envId,
        operationId,
        body: structuredClone(body),
        seq: log.length + 1,
        time: Date.now(),
      };
      log.push(event);
      return event;
    });
  }
}

/** LeaseStore in memory. */
export class FakeLeaseStore implements LeaseStore {
  readonly holders = new Map<string, string>();

  async take(name: string, holder: string): Promise<boolean> {
    await Promise.resolve();
    const held = this.holders.get(name) ?? holder;
    if (held === holder) this.holders.set(name, holder);
    return held === holder;
  }

  async release(name: string, holder: string): Promise<void> {
    await Promise.resolve();
    if (this.holders.get(name) === holder) this.holders.delete(name);
  }
}

/** PortStore in memory; every call yields first. */
export class FakePortStore implements PortStore {
  readonly rows = new Map<number, { port: number; envId: string; allocatedAt: number }>();

  async used(): Promise<Set<number>> {
    await Promise.resolve();
    return new Set(this.rows.keys());
  }

  async claim(port: number, envId: string): Promise<boolean> {
    await Promise.resolve();
    if (this.rows.has(port)) return false;
    this.rows.set(port, { port, envId, allocatedAt: Date.now() });
    return true;
  }

  async release(port: number, envId: string): Promise<boolean> {
    await Promise.resolve();
    return this.rows.get(port)?.envId === envId && this.rows.delete(port);
  }

  async list(): Promise<{ port: number; envId: string; allocatedAt: number }[]> {
    await Promise.resolve();
    return [...this.rows.values()];
  }
}

function ofOperation(operation: Operation, events: EnvEventBody[]): NewEvent[] {
  return events.map((body) => ({ envId: operation.envId, operationId: operation.id, body }));
}
