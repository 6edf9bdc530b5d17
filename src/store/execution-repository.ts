import type { PagePosition } from '../domain/page-token.js';
import type { EndedBody } from '../domain/sandbox/execution.js';
import type { ExecutionFilter, ExecutionRecord } from '../domain/sandbox/execution-record.js';
import type { DaemonLife, ExecutionStore } from '../domain/sandbox/execution-store.js';
import { listExecutions } from './execution-list.js';
import { endLostExecutions, removeOldExecutions } from './execution-removal.js';
import { claimExecution, saveExecutions } from './execution-save.js';
import { executionFromRow } from './rows/execution-row.js';
import type { Transactor } from './transactor.js';

/** ExecutionStore over either database. */
export class ExecutionRepository implements ExecutionStore {
  constructor(private readonly transactor: Transactor) {}

  async save(of: DaemonLife, records: readonly ExecutionRecord[]): Promise<void> {
    await this.transactor.write((trx) => saveExecutions(trx, of, records));
  }

  async claim(of: DaemonLife, record: ExecutionRecord): Promise<ExecutionRecord> {
    return await this.transactor.write((trx) => claimExecution(trx, of, record));
  }

  async get(tenant: string, executionId: string): Promise<ExecutionRecord | undefined> {
    const row = await this.transactor.run((db) =>
      db
        .selectFrom('executions')
        .selectAll()
        .where('id', '=', executionId)
        .where('tenant', '=', tenant)
        .executeTakeFirst(),
    );
    return row && executionFromRow(row);
  }

  async findByRequest(
    of: DaemonLife,
    tenant: string,
    requestId: string,
  ): Promise<ExecutionRecord | undefined> {
    const row = await this.transactor.run((db) =>
      db
        .selectFrom('executions')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('request_id', '=', requestId)
        .where('life', '=', of.life)
        .orderBy('created_at', 'desc')
        .executeTakeFirst(),
    );
    return row && executionFromRow(row);
  }

  async list(
    filter: ExecutionFilter,
    after: PagePosition | undefined,
    limit: number,
  ): Promise<ExecutionRecord[]> {
    return await this.transactor.run((db) => listExecutions(db, filter, after, limit));
  }

  async endLost(of: DaemonLife, ended: EndedBody, now: number): Promise<number> {
    return await this.transactor.write((trx) => endLostExecutions(trx, of, ended, now));
  }

  async removeOld(of: DaemonLife, before: number, keep: number, limit: number): Promise<number> {
    return await this.transactor.write((trx) => removeOldExecutions(trx, of, before, keep, limit));
  }
}
