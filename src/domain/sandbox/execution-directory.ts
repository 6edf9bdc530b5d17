import { BerthError } from '../errors.js';
import { decodePageToken, encodePageToken, type PagePosition } from '../page-token.js';
import {
  isUnended,
  matches,
  newestFirst,
  type ExecutionFilter,
  type ExecutionRecord,
} from './execution-record.js';
import type { ExecutionRecorder } from './execution-recorder.js';
import type { ExecutionRegistry } from './execution-registry.js';
import type { ExecutionStore } from './execution-store.js';

/** A record with what can still be read of its events. */
export interface ExecutionLook {
  record: ExecutionRecord;
  /** `seq` of the oldest event that can be read; 0: none. */
  oldestSeq: number;
}

/**
 * Finds executions: those in memory, which are newer than the store, over those in the store. The tenant is checked here:
 * another tenant's execution is not there.
 */
export class ExecutionDirectory {
  constructor(
    private readonly registry: ExecutionRegistry,
    private readonly recorder: ExecutionRecorder,
    private readonly store: ExecutionStore,
  ) {}

  /** @throws BerthError EXECUTION_NOT_FOUND, STORE_UNAVAILABLE */
  async get(tenant: string, executionId: string): Promise<ExecutionLook> {
    const inMemory =
      this.registry.get(tenant, executionId)?.record() ?? this.recorder.get(tenant, executionId);
    if (inMemory !== undefined) return this.#look(inMemory);
    await this.recorder.ensureLostEnded();
    const record = await this.store.get(tenant, executionId);
    if (record !== undefined) return this.#look(record);
    throw new BerthError(
      'EXECUTION_NOT_FOUND',
      `there is no execution ${executionId}, or its record is no longer kept; ListExecutions has those there are`,
      { resource: { type: 'execution', name: executionId } },
    );
  }

  /** One page, newest first. @throws BerthError PAGE_TOKEN_INVALID, STORE_UNAVAILABLE */
  async list(
    filter: ExecutionFilter,
    pageSize: number,
    pageToken: string,
  ): Promise<{ items: ExecutionLook[]; nextPageToken: string }> {
    const query = queryOf(filter);
    const after = decodePageToken(pageToken, query);
    await this.recorder.ensureLostEnded();
    const inMemory = this.#inMemory(filter.tenant);
    const fresh = [...inMemory.values()].filter(
      (record) => matches(record, filter) && (after === undefined || isBehind(record, after)),
    );
    // One more than asked for tells whether there is a next page.
    const stored = await this.#stored(filter, after, pageSize + 1, inMemory);
    const all = [...fresh, ...stored].sort(newestFirst);
    const items = all.slice(0, pageSize);
    const last = all.length > pageSize ? items.at(-1) : undefined;
    return {
      items: items.map((record) => this.#look(record)),
      nextPageToken: last === undefined ? '' : encodePageToken(last, query),
    };
  }

  /** What memory knows of the tenant's executions, by id. */
  #inMemory(tenant: string): Map<string, ExecutionRecord> {
    const records = new Map<string, ExecutionRecord>();
    for (const record of this.recorder.unwritten())
      if (record.tenant === tenant) records.set(record.id, record);
    for (const execution of this.registry.all())
      if (execution.tenant === tenant) records.set(execution.id, execution.record());
    return records;
  }

  /** Those of the store that memory knows nothing newer of. */
  async #stored(
    filter: ExecutionFilter,
    after: PagePosition | undefined,
    wanted: number,
    inMemory: ReadonlyMap<string, ExecutionRecord>,
  ): Promise<ExecutionRecord[]> {
    const found: ExecutionRecord[] = [];
    let position = after;
    for (;;) {
      const rows = await this.store.list(filter, position, wanted);
      found.push(...rows.filter((row) => !inMemory.has(row.id)));
      position = rows.at(-1);
      if (rows.length < wanted || found.length >= wanted) return found;
    }
  }

  #look(record: ExecutionRecord): ExecutionLook {
    const log = this.registry.get(record.tenant, record.id)?.log;
    if (log !== undefined) return { record, oldestSeq: log.oldestSeq };
    // Of the others only how they ended can be told.
    return { record, oldestSeq: isUnended(record) || record.ended === null ? 0 : record.lastSeq };
  }
}

function isBehind(record: ExecutionRecord, { createdAt, id }: PagePosition): boolean {
  return record.createdAt < createdAt || (record.createdAt === createdAt && record.id < id);
}

/** What a page token is bound to. */
function queryOf(filter: ExecutionFilter): unknown {
  const { tenant, state, endReason, sandboxId, taskId, createdFrom, createdBefore, labels } = filter;
  const sorted = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const rest = [state, endReason, sandboxId, taskId, createdFrom, createdBefore].map((part) => part ?? null);
  return ['executions', tenant, ...rest, sorted];
}
