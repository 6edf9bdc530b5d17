import type { ErrorReason } from '../error-reasons.js';
import { ERROR_REASONS } from '../error-reasons.js';
import { BerthError } from '../errors.js';
import type { ExecutionEvent, StartedBody } from './execution.js';
import type { ExecutionRecord } from './execution-record.js';

/**
 * What can still be told of an execution whose events are gone: how it ended. A reader that has all before it gets the
 * terminal event; of one that a crash cut off nobody has more, so every reader gets its end.
 * @throws BerthError HISTORY_GONE, EXECUTION_ELSEWHERE, or why it never started
 */
export function* recordedEvents(record: ExecutionRecord, afterSeq: number): Generator<ExecutionEvent> {
  const { ended, failure, lastSeq } = record;
  if (failure !== null) throw new BerthError(reasonOf(failure.reason), failure.message);
  if (ended === null)
    throw new BerthError(
      'EXECUTION_ELSEWHERE',
      `execution ${record.id} is run by another berthd on the same database; ask that one`,
      { resource: { type: 'execution', name: record.id } },
    );
  const time = record.endedAt ?? record.createdAt;
  if (ended.lostCause === 'daemon_crashed') {
    if (afterSeq === 0)
      yield { seq: 1, time: record.startedAt ?? time, body: record.started ?? unknownStart() };
    yield { seq: Math.max(afterSeq, lastSeq - 1, 1) + 1, time, body: ended };
    return;
  }
  if (afterSeq >= lastSeq) return;
  if (afterSeq < lastSeq - 1)
    throw new BerthError(
      'HISTORY_GONE',
      `the events of execution ${record.id} are no longer kept but for the last; GetExecution tells how it ended`,
      { metadata: { first_seq: String(lastSeq) } },
    );
  yield { seq: lastSeq, time, body: ended };
}

/** The crash came before it was recorded what served it. */
function unknownStart(): StartedBody {
  return {
    type: 'started',
    sandboxId: '',
    poolId: '',
    engine: '',
    servedBy: undefined,
    servedReason: 'not known: berthd crashed before it was recorded',
    isolation: undefined,
    poolHit: undefined,
    missReason: undefined,
    acquireMs: 0,
    image: '',
    language: '',
    languageVersion: '',
    limitsEnforced: true,
    startPath: 'none',
    startPathReason: '',
  };
}

function reasonOf(recorded: string): ErrorReason {
  return recorded in ERROR_REASONS ? (recorded as ErrorReason) : 'INTERNAL';
}
