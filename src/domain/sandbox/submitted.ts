import type { ExecutionRecord } from './execution-record.js';
import type { ExecutionEvent } from './execution.js';
import type { LiveExecution } from './live-execution.js';
import { recordedEvents } from './recorded-events.js';

/** The answer to a request: its execution, made now or before. */
export interface Submitted {
  executionId: string;
  /** Whether the request id was used before, for the same request. */
  replayed: boolean;
  /** Undefined: it is known from its record only. */
  execution: LiveExecution | undefined;
  /** @throws what `ExecutionLog.read` and `recordedEvents` throw */
  read(afterSeq: number, signal?: AbortSignal): AsyncIterable<ExecutionEvent>;
}

/** One whose events are kept. */
export function live(execution: LiveExecution, replayed: boolean): Submitted {
  return {
    executionId: execution.id,
    replayed,
    execution,
    read: (afterSeq, signal) => execution.log.read(afterSeq, signal),
  };
}

/** One of which only the record is left. */
export function recorded(record: ExecutionRecord, replayed: boolean): Submitted {
  return {
    executionId: record.id,
    replayed,
    execution: undefined,
    async *read(afterSeq) {
      yield* recordedEvents(record, afterSeq);
    },
  };
}
