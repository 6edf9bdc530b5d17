import { ExecutionState, type Execution } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { ExecutionLook } from '../domain/sandbox/execution-directory.js';
import type { ExecutionState as State } from '../domain/sandbox/execution-record.js';
import { toEnded, toStarted } from './execute-events.js';

export const STATES: Record<State, ExecutionState> = {
  queued: ExecutionState.QUEUED,
  running: ExecutionState.RUNNING,
  ended: ExecutionState.ENDED,
  failed: ExecutionState.FAILED,
};

export function toExecution({ record, oldestSeq }: ExecutionLook): Execution {
  const { started, ended, failure } = record;
  return {
    executionId: record.id,
    requestId: record.requestId,
    state: STATES[record.state],
    createTime: new Date(record.createdAt),
    startTime: toTime(record.startedAt),
    endTime: toTime(record.endedAt),
    started: started === null ? undefined : toStarted(started, record.id, false),
    ended: ended === null ? undefined : toEnded(ended),
    taskId: record.taskId,
    dueTime: undefined,
    labels: record.labels,
    lastSeq: record.lastSeq,
    oldestSeq,
    failureReason: failure?.reason ?? '',
    failureMessage: failure?.message ?? '',
    attempt: 0,
  };
}

function toTime(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms);
}
