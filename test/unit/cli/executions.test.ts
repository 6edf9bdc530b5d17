import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  CancelCause,
  EndReason,
  ExecuteEvent,
  Execution,
  ExecutionState,
  type CancelExecutionRequest,
  type DeepPartial,
  type ExecuteRequest,
  type ListExecutionsRequest,
} from '../../../clients/typescript/src/index.js';
import { harness } from './harness.js';

const { daemon, folder, berth } = harness();

const ENDED = Execution.fromPartial({
  executionId: 'exec-1',
  state: ExecutionState.ENDED,
  createTime: new Date(Date.now() - 60_000),
  startTime: new Date(Date.now() - 59_000),
  endTime: new Date(Date.now() - 58_000),
  started: { sandboxId: 'sbx-1', engine: 'docker', language: 'python' },
  ended: { reason: EndReason.EXITED, exitCode: 3, usage: { wallMs: 1_000 } },
  labels: { job: 'nightly' },
  lastSeq: 4,
  oldestSeq: 1,
});
const FAILED = Execution.fromPartial({
  executionId: 'exec-2',
  state: ExecutionState.FAILED,
  createTime: new Date(),
  failureReason: 'POOL_EXHAUSTED',
  failureMessage: 'no sandbox became free',
});

test('executions lists what is asked for, page by page', async () => {
  const asked: ListExecutionsRequest[] = [];
  await daemon({
    sandbox: {
      listExecutions(call, callback) {
        asked.push(call.request);
        const first = call.request.pageToken === '';
        callback(null, { executions: [first ? FAILED : ENDED], nextPageToken: first ? 'next' : '' });
      },
    },
  });
  const filters = ['--state', 'ended', '--ended', 'exited', '--sandbox', 'sbx-1', '--label', 'job=nightly'];
  const { code, io } = await berth(['executions', ...filters]);
  expect(code).toBe(0);
  expect(asked).toHaveLength(2);
  expect(asked[0]).toMatchObject({
    state: ExecutionState.ENDED,
    endReason: EndReason.EXITED,
    sandboxId: 'sbx-1',
    labels: { job: 'nightly' },
    pageSize: 50,
  });
  expect(io.out.lines[0]).toMatch(/^EXECUTION +STATE +END +LANGUAGE +TIME +AGE +LABELS$/);
  expect(io.out.lines[1]).toMatch(/^exec-2 +failed +POOL_EXHAUSTED/);
  expect(io.out.lines[2]).toMatch(/^exec-1 +ended +exited 3 +python +1\.0 s +1 min +job=nightly$/);
});

test('executions with an id shows one', async () => {
  await daemon({
    sandbox: { getExecution: (_call, callback) => callback(null, { execution: ENDED }) },
  });
  const { code, io } = await berth(['executions', 'exec-1']);
  expect(code).toBe(0);
  expect(io.out.text).toMatch(
    /exec-1 +ended\n[^]*exited with 3[^]*events 1 to 4 can be read: berth attach exec-1/,
  );
});

test('attach writes the output and exits with the program’s code', async () => {
  await daemon({
    sandbox: {
      attachExecution(call) {
        const bodies: DeepPartial<ExecuteEvent>['event'][] = [
          { $case: 'output', value: { data: Buffer.from('late\n') } },
          { $case: 'ended', value: { reason: EndReason.EXITED, exitCode: 3 } },
        ];
        bodies.forEach((event, i) =>
          call.write({ event: ExecuteEvent.fromPartial({ seq: call.request.afterSeq + i + 1, event }) }),
        );
        call.end();
      },
    },
  });
  const { code, io } = await berth(['attach', 'exec-1', '--after-seq', '5']);
  expect(code).toBe(3);
  expect(io.out.text).toBe('late\n');
});

test('cancel ends each, and says how', async () => {
  const asked: CancelExecutionRequest[] = [];
  await daemon({
    sandbox: {
      cancelExecution(call, callback) {
        asked.push(call.request);
        const ended = { reason: EndReason.CANCELLED, cancelCause: CancelCause.REQUESTED };
        callback(null, { execution: Execution.fromPartial({ state: ExecutionState.ENDED, ended }) });
      },
    },
  });
  const { code, io } = await berth(['cancel', 'exec-1', 'exec-2', '--grace', '5s']);
  expect(code).toBe(0);
  expect(asked.map(({ executionId, graceMs }) => [executionId, graceMs])).toEqual([
    ['exec-1', 5_000],
    ['exec-2', 5_000],
  ]);
  expect(io.out.lines).toEqual(['exec-1  cancelled', 'exec-2  cancelled']);
});

test('run --detach says the id and leaves it running', async () => {
  let asked: ExecuteRequest | undefined;
  await daemon({
    sandbox: {
      execute(call) {
        asked = call.request;
        const event = { $case: 'started' as const, value: { executionId: 'exec-9' } };
        call.write({ event: ExecuteEvent.fromPartial({ seq: 1, event }) });
      },
    },
  });
  const path = join(await folder(), 'a.py');
  await writeFile(path, 'print(1)');
  const { code, io } = await berth([
    'run',
    '--detach',
    '--request-id',
    'r1',
    '--durable',
    '--label',
    'job=nightly',
    path,
  ]);
  expect(code).toBe(0);
  expect(io.out.lines).toEqual(['exec-9']);
  expect(asked).toMatchObject({
    cancelOnDisconnect: false,
    requestId: 'r1',
    durable: true,
    labels: { job: 'nightly' },
  });
});
