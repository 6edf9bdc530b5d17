import type {
  Checkpoint,
  Env,
  EnvEvent,
  EnvEventBody,
  EnvKey,
  EnvState,
  Operation,
  OperationState,
} from '../domain/env/model.js';
import type { EnvFilter, EnvStore, Page } from '../domain/env/store.js';
import { beginOperation, claim, findLive } from './env-begin.js';
import { commit } from './env-commit.js';
import { saveActivities, saveDiskBytes } from './env-measures.js';
import { listEnvs } from './env-list.js';
import { readEvents } from './event-log.js';
import { envFromRow } from './rows/env-row.js';
import { checkpointFromRow, hasOutcome, operationFromRow, UNFINISHED_STATES } from './rows/operation-row.js';
import type { Transactor } from './transactor.js';

/** Among which the last is looked for that was not cancelled. */
const LATEST_OPERATIONS = 20;

/** EnvStore over either database. The changes have a file each; the reads are here. */
export class EnvRepository implements EnvStore {
  constructor(private readonly transactor: Transactor) {}

  async claim(
    env: Env,
    operation: Operation,
    events: EnvEventBody[],
  ): Promise<{ env: Env; events: EnvEvent[] } | { conflict: Env }> {
    return await this.transactor.write((trx) => claim(trx, env, operation, events));
  }

  async beginOperation(
    operation: Operation,
    from: readonly EnvState[],
    state: EnvState,
    events: EnvEventBody[],
  ): Promise<{ env: Env; events: EnvEvent[] } | { refused: Env | undefined }> {
    return await this.transactor.write((trx) => beginOperation(trx, operation, from, state, events));
  }

  async commit(change: Parameters<EnvStore['commit']>[0]): Promise<EnvEvent[]> {
    return await this.transactor.write((trx) => commit(trx, change));
  }

  async saveActivities(activities: Parameters<EnvStore['saveActivities']>[0]): Promise<void> {
    await this.transactor.write((trx) => saveActivities(trx, activities));
  }

  async saveDiskBytes(sizes: ReadonlyMap<string, number>): Promise<void> {
    await this.transactor.write((trx) => saveDiskBytes(trx, sizes));
  }

  async get(tenant: string, envId: string): Promise<Env | undefined> {
    const row = await this.transactor.run((db) =>
      db
        .selectFrom('envs')
        .selectAll()
        .where('id', '=', envId)
        .where('tenant', '=', tenant)
        .executeTakeFirst(),
    );
    return row && envFromRow(row);
  }

  async findLive(key: EnvKey): Promise<Env | undefined> {
    return await this.transactor.run((db) => findLive(db, key));
  }

  async list(filter: EnvFilter, pageSize: number, pageToken: string): Promise<Page<Env>> {
    return await this.transactor.run((db) => listEnvs(db, filter, pageSize, pageToken));
  }

  async listLive(): Promise<Env[]> {
    const rows = await this.transactor.run((db) =>
      db.selectFrom('envs').selectAll().where('live', '=', 1).orderBy('created_at').orderBy('id').execute(),
    );
    return rows.map(envFromRow);
  }

  async findOperationByRequest(tenant: string, requestId: string): Promise<Operation | undefined> {
    if (requestId === '') return undefined;
    const row = await this.transactor.run((db) =>
      db
        .selectFrom('operations')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('request_id', '=', requestId)
        .executeTakeFirst(),
    );
    return row && operationFromRow(row);
  }

  async getOperation(operationId: string): Promise<Operation | undefined> {
    const row = await this.transactor.run((db) =>
      db.selectFrom('operations').selectAll().where('id', '=', operationId).executeTakeFirst(),
    );
    return row && operationFromRow(row);
  }

  async lastOutcome(envId: string): Promise<Operation | undefined> {
    const rows = await this.transactor.run((db) =>
      db
        .selectFrom('operations')
        .selectAll()
        .where('env_id', '=', envId)
        .where('kind', 'not in', ['extend', 'join'])
        .where('state', '!=', 'running' satisfies OperationState)
        .orderBy('started_at', 'desc')
        .orderBy('id', 'desc')
        .limit(LATEST_OPERATIONS)
        .execute(),
    );
    return rows.map(operationFromRow).find(hasOutcome);
  }

  async listUnfinished(): Promise<Operation[]> {
    const rows = await this.transactor.run((db) =>
      db
        .selectFrom('operations')
        .selectAll()
        .where('state', 'in', UNFINISHED_STATES)
        .orderBy('started_at')
        .orderBy('id')
        .execute(),
    );
    return rows.map(operationFromRow);
  }

  async checkpoints(operationId: string): Promise<Checkpoint[]> {
    const rows = await this.transactor.run((db) =>
      db
        .selectFrom('checkpoints')
        .selectAll()
        .where('operation_id', '=', operationId)
        .orderBy('ordinal')
        .execute(),
    );
    return rows.map(checkpointFromRow);
  }

  async events(envId: string, afterSeq: number, limit: number): Promise<EnvEvent[]> {
    return await this.transactor.run((db) => readEvents(db, envId, afterSeq, limit));
  }

  async lastSeq(envId: string): Promise<number> {
    const row = await this.transactor.run((db) =>
      db.selectFrom('envs').select('last_seq').where('id', '=', envId).executeTakeFirst(),
    );
    return row?.last_seq ?? 0;
  }
}
