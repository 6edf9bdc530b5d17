import { createHash } from 'node:crypto';
import {
  CancelExecutionRequest,
  EndReason,
  ExecutionState,
  type AttachExecutionRequest,
  type ListExecutionsRequest,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { invalid, type FieldViolation } from '../domain/errors.js';
import type { ExecutionFilter } from '../domain/sandbox/execution-record.js';
import type { EndedBody } from '../domain/sandbox/execution.js';
import { END_REASONS } from './execute-events.js';
import { checkLabels, checkRequestId, type Must } from './execute-request.js';
import { STATES } from './execution-messages.js';

const MAX_GRACE_MS = 60_000;

/** Each of these throws BerthError INVALID_ARGUMENT naming every field that breaks a rule. */
export function checkAttach({ executionId, afterSeq }: AttachExecutionRequest): void {
  checked((must) => {
    must(executionId !== '', 'execution_id', 'is required');
    must(
      Number.isSafeInteger(afterSeq) && afterSeq >= 0,
      'after_seq',
      'must be a whole number, not negative',
    );
  });
}

/** What a cancel asks for; `digest` tells a repeat from another request with the same id. */
export function toCancel(message: CancelExecutionRequest): { requestId: string; digest: string } {
  checked((must) => {
    checkRequestId(message.requestId, must);
    must(message.executionId !== '', 'execution_id', 'is required');
    must(message.graceMs >= 0 && message.graceMs <= MAX_GRACE_MS, 'grace_ms', `must be 0 to ${MAX_GRACE_MS}`);
  });
  const digest = createHash('sha256').update(CancelExecutionRequest.encode(message).finish()).digest('hex');
  return { requestId: message.requestId, digest };
}

export function checkExecutionId({ executionId }: { executionId: string }): void {
  checked((must) => must(executionId !== '', 'execution_id', 'is required'));
}

export function toExecutionFilter(request: ListExecutionsRequest, tenant: string): ExecutionFilter {
  const { sandboxId, taskId, createdFrom, createdBefore, labels } = request;
  checked((must) => checkLabels(labels, must));
  return {
    tenant,
    state: named(STATES, request.state, ExecutionState.UNSPECIFIED, 'state'),
    endReason: named<EndedBody['reason']>(
      END_REASONS,
      request.endReason,
      EndReason.UNSPECIFIED,
      'end_reason',
    ),
    sandboxId: sandboxId === '' ? undefined : sandboxId,
    taskId: taskId === '' ? undefined : taskId,
    createdFrom: createdFrom?.getTime(),
    createdBefore: createdBefore?.getTime(),
    labels,
  };
}

/** The name of an enum's number; undefined where the filter names none. */
function named<Name extends string>(
  numbers: Record<Name, number>,
  number: number,
  unspecified: number,
  field: string,
): Name | undefined {
  if (number === unspecified) return undefined;
  const name = (Object.keys(numbers) as Name[]).find((candidate) => numbers[candidate] === number);
  if (name === undefined) throw invalid({ field, rule: 'must be a value of the contract' });
  return name;
}

function checked(check: (must: Must) => void): void {
  const violations: FieldViolation[] = [];
  check((holds, field, rule) => {
    if (!holds) violations.push({ field, rule });
  });
  if (violations.length > 0) throw invalid(...violations);
}
