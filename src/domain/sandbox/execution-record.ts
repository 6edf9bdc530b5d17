import type { EndedBody, EndReason, StartedBody } from './execution.js';

/** Where an execution is. `failed`: it never started. */
export type ExecutionState = 'queued' | 'running' | 'ended' | 'failed';

/** What is known of one execution, without its events. Times are milliseconds since the epoch. */
export interface ExecutionRecord {
  id: string;
  tenant: string;
  /** Empty: none. */
  requestId: string;
  /** sha256 of the request; empty without a request id. */
  digest: string;
  durable: boolean;
  state: ExecutionState;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** Empty: no firing of a task. */
  taskId: string;
  labels: Record<string, string>;
  started: StartedBody | null;
  ended: EndedBody | null;
  /** `seq` of the newest event; 0: none. */
  lastSeq: number;
  /** Of an execution that never started: why. */
  failure: ExecutionFailure | null;
}

export interface ExecutionFailure {
  /** As in `ErrorInfo.reason`. */
  reason: string;
  message: string;
}

/** What a list is narrowed to; what is absent narrows nothing. */
export interface ExecutionFilter {
  tenant: string;
  state?: ExecutionState | undefined;
  endReason?: EndReason | undefined;
  sandboxId?: string | undefined;
  taskId?: string | undefined;
  /** Asked for at this time or later. */
  createdFrom?: number | undefined;
  /** Asked for before this time. */
  createdBefore?: number | undefined;
  /** All of these. */
  labels?: Record<string, string> | undefined;
}

export function isUnended(record: Pick<ExecutionRecord, 'state'>): boolean {
  return record.state === 'queued' || record.state === 'running';
}

/** Whether a record is one of those that the filter asks for: what the store does in SQL, for records in memory. */
export function matches(record: ExecutionRecord, filter: ExecutionFilter): boolean {
  const { state, endReason, sandboxId, taskId, createdFrom, createdBefore, labels } = filter;
  return (
    record.tenant === filter.tenant &&
    (state === undefined || record.state === state) &&
    (endReason === undefined || record.ended?.reason === endReason) &&
    (sandboxId === undefined || record.started?.sandboxId === sandboxId) &&
    (taskId === undefined || record.taskId === taskId) &&
    (createdFrom === undefined || record.createdAt >= createdFrom) &&
    (createdBefore === undefined || record.createdAt < createdBefore) &&
    Object.entries(labels ?? {}).every(([name, value]) => record.labels[name] === value)
  );
}

/** Newest first; those of one instant by id, as the store sorts them. */
export function newestFirst(a: ExecutionRecord, b: ExecutionRecord): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
