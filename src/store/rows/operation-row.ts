import type { Selectable } from 'kysely';
import type {
  Checkpoint,
  CheckpointState,
  Operation,
  OperationError,
  OperationKind,
  OperationState,
} from '../../domain/env/model.js';
import type { CheckpointTable, OperationTable } from '../schema.js';
import { fromJson } from './text.js';

/** States in which a boot or a reconcile still has work with an operation. */
export const UNFINISHED_STATES: readonly OperationState[] = ['running', 'undoing', 'undo_incomplete'];

export function operationToRow(operation: Operation): OperationTable {
  return {
    id: operation.id,
    env_id: operation.envId,
    tenant: operation.tenant,
    kind: operation.kind,
    state: operation.state,
    request_id: operation.requestId === '' ? null : operation.requestId,
    request_digest: operation.requestDigest,
    started_at: operation.startedAt,
    ended_at: operation.endedAt,
    error: operation.error === null ? null : JSON.stringify(operation.error),
    input: JSON.stringify(operation.input),
  };
}

export function operationFromRow(row: Selectable<OperationTable>): Operation {
  return {
    id: row.id,
    envId: row.env_id,
    tenant: row.tenant,
    kind: row.kind as OperationKind,
    state: row.state as OperationState,
    requestId: row.request_id ?? '',
    requestDigest: row.request_digest,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    error: row.error === null ? null : fromJson<OperationError>(row.error),
    input: fromJson<Record<string, unknown>>(row.input),
  };
}

/** Whether it says how the env's operations go: it succeeded or failed, and was not cancelled. */
export function hasOutcome({ state, error }: Operation): boolean {
  return state === 'succeeded' || (error !== null && !error.cancelled);
}

export function checkpointFromRow(row: Selectable<CheckpointTable>): Checkpoint {
  return {
    operationId: row.operation_id,
    ordinal: row.ordinal,
    step: row.step,
    state: row.state as CheckpointState,
    data: fromJson<Record<string, unknown>>(row.data),
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
