import { BerthError } from '../../src/domain/errors.js';
import type { PagePosition } from '../../src/domain/page-token.js';
import type { EndedBody } from '../../src/domain/sandbox/execution.js';
import {
  isUnended,
  matches,
  newestFirst,
  type ExecutionFilter,
  type ExecutionRecord,
} from '../../src/domain/sandbox/execution-record.js';
import type { DaemonLife, ExecutionStore } from '../../src/domain/sandbox/execution-store.js';

/** Records in memory, as the databases keep them: copies, with who wrote them. */
export class FakeExecutionStore implements ExecutionStore {
  readonly rows = new Map<string, ExecutionRecord & DaemonLife>();
  /** While set, every call fails. */
  away: BerthError | undefined;
  /** Records of each `save`. */
  readonly batches: string[][] = [];
  /** Commits the next claim and fails all the same, as when a connection breaks in the middle. */
  breakNextClaim = false;

  async save(of: DaemonLife, records: readonly ExecutionRecord[]): Promise<void> {
    await this.#call();
    this.batches.push(records.map(({ id }) => id));
    for (const record of records) this.rows.set(record.id, { ...record, ...of });
  }

  async claim(of: DaemonLife, record: ExecutionRecord): Promise<ExecutionRecord> {
    await this.#call();
    const holder = [...this.rows.values()].find(
      (row) => row.durable && row.tenant === record.tenant && row.requestId === record.requestId,
    );
    if (holder !== undefined) return holder;
    this.rows.set(record.id, { ...record, ...of });
    if (!this.breakNextClaim) return record;
    this.breakNextClaim = false;
    throw new BerthError('STORE_UNAVAILABLE', 'broken', { metadata: { outcome: 'unknown' } });
  }

  async get(tenant: string, executionId: string): Promise<ExecutionRecord | undefined> {
    await this.#call();
    const row = this.rows.get(executionId);
    return row?.tenant === tenant ? row : undefined;
  }

  async findByRequest(
    of: DaemonLife,
    tenant: string,
    requestId: string,
  ): Promise<ExecutionRecord | undefined> {
    await this.#call();
    return [...this.rows.values()].find(
      (row) => row.life === of.life && row.tenant === tenant && row.requestId === requestId,
    );
  }

  async list(
    filter: ExecutionFilter,
    after: PagePosition | undefined,
    limit: number,
  ): Promise<ExecutionRecord[]> {
    await this.#call();
    return [...this.rows.values()]
      .filter((row) => matches(row, filter) && (after === undefined || isBehind(row, after)))
      .sort(newestFirst)
      .slice(0, limit);
  }

  async endLost(of: DaemonLife, ended: EndedBody, now: number): Promise<number> {
    await this.#call();
    let count = 0;
    for (const row of this.rows.values())
      if (row.owner === of.owner && row.life !== of.life && isUnended(row)) {
        Object.assign(row, { state: 'ended', ended, endedAt: now, lastSeq: row.lastSeq + 1 });
        count++;
      }
    return count;
  }

  removeOld(): Promise<number> {
    throw new Error('no test of this one removes records');
  }

  #call(): Promise<void> {
    return this.away === undefined ? Promise.resolve() : Promise.reject(this.away);
  }
}

function isBehind(row: ExecutionRecord, { createdAt, id }: PagePosition): boolean {
  return row.createdAt < createdAt || (row.createdAt === createdAt && row.id < id);
}
