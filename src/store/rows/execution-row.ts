import type { Selectable } from 'kysely';
import type { EndedBody, StartedBody } from '../../domain/sandbox/execution.js';
import type {
  ExecutionFailure,
  ExecutionRecord,
  ExecutionState,
} from '../../domain/sandbox/execution-record.js';
import type { DaemonLife } from '../../domain/sandbox/execution-store.js';
import type { ExecutionTable } from '../schema.js';
import { fromJson, plainText } from './text.js';

export function executionToRow({ owner, life }: DaemonLife, record: ExecutionRecord): ExecutionTable {
  const requestId = record.requestId === '' ? null : record.requestId;
  return {
    id: record.id,
    tenant: record.tenant,
    owner: plainText(owner),
    life,
    request_id: requestId,
    durable_request_id: record.durable ? requestId : null,
    request_digest: record.digest,
    state: record.state,
    sandbox_id: record.started?.sandboxId ?? null,
    end_reason: record.ended?.reason ?? null,
    task_id: record.taskId === '' ? null : record.taskId,
    created_at: record.createdAt,
    started_at: record.startedAt,
    ended_at: record.endedAt,
    last_seq: record.lastSeq,
    labels: JSON.stringify(record.labels),
    started: toJson(record.started),
    ended: toJson(record.ended),
    failure: toJson(record.failure),
  };
}

export function executionFromRow(row: Selectable<ExecutionTable>): ExecutionRecord {
  return {
    id: row.id,
    tenant: row.tenant,
    requestId: row.request_id ?? '',
    digest: row.request_digest,
    durable: row.durable_request_id !== null,
    state: row.state as ExecutionState,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    taskId: row.task_id ?? '',
    labels: fromJson<Record<string, string>>(row.labels),
    started: orNull<StartedBody>(row.started),
    ended: orNull<EndedBody>(row.ended),
    lastSeq: row.last_seq,
    failure: orNull<ExecutionFailure>(row.failure),
  };
}

function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function orNull<T>(json: string | null): T | null {
  return json === null ? null : fromJson<T>(json);
}
