import type { ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  connect,
  EndReason,
  ExecuteEvent,
  type AttachExecutionRequest,
  type AttachExecutionResponse,
  type BerthClient,
  type DeepPartial,
  type ExecuteRequest,
  type ExecuteResponse,
} from '../../../clients/typescript/src/index.js';
import { FakeDaemon, type Methods } from './fake-daemon.js';

let daemon: FakeDaemon;
let client: BerthClient;

async function connected(methods: Methods['sandbox']): Promise<void> {
  daemon = await FakeDaemon.start({ sandbox: methods ?? {} });
  client = connect({ address: daemon.address });
}

afterEach(async () => {
  client.close();
  await daemon.stop();
});

type ExecuteCall = ServerWritableStream<ExecuteRequest, ExecuteResponse>;
type AttachCall = ServerWritableStream<AttachExecutionRequest, AttachExecutionResponse>;

const BODIES: DeepPartial<ExecuteEvent>['event'][] = [
  { $case: 'started', value: { executionId: 'exec-1' } },
  { $case: 'output', value: { data: Buffer.from('a') } },
  { $case: 'output', value: { data: Buffer.from('b') } },
  { $case: 'ended', value: { reason: EndReason.EXITED, exitCode: 0 } },
];
const HISTORY = BODIES.map((event, i) => ExecuteEvent.fromPartial({ seq: i + 1, event }));

function send(call: ExecuteCall | AttachCall, afterSeq: number, lastSeq = HISTORY.length): void {
  for (const event of HISTORY) if (event.seq > afterSeq && event.seq <= lastSeq) call.write({ event });
  if (lastSeq === HISTORY.length) call.end();
}

const CODE = { language: 'python', source: { $case: 'code' as const, value: 'x' } };

async function seqs(events: AsyncIterable<ExecuteEvent>, cutAt?: number): Promise<number[]> {
  const seen: number[] = [];
  for await (const { seq } of events) {
    seen.push(seq);
    if (seq === cutAt) daemon.cutConnections();
  }
  return seen;
}

test.each<[string, DeepPartial<ExecuteRequest>]>([
  ['with a request id', { ...CODE, requestId: 'r1' }],
  ['that runs on without its client', { ...CODE, cancelOnDisconnect: false }],
])('an execution %s is taken up again behind its last event', async (_name, request) => {
  const attaches: AttachExecutionRequest[] = [];
  await connected({
    execute: (call) => send(call, 0, 2),
    attachExecution(call) {
      attaches.push(call.request);
      send(call, call.request.afterSeq);
    },
  });
  expect(await seqs(client.execute(request), 2)).toEqual([1, 2, 3, 4]);
  expect(attaches).toEqual([{ executionId: 'exec-1', afterSeq: 2 }]);
});

test('run collects over lost connections', async () => {
  await connected({
    execute: (call) => {
      send(call, 0, 3);
      call.end();
    },
    attachExecution: (call) => send(call, call.request.afterSeq),
  });
  const result = await client.run({ ...CODE, requestId: 'r1' });
  expect(result.stdout.toString() + result.stderr.toString()).toBe('');
  expect(result).toMatchObject({ reason: EndReason.EXITED, exitCode: 0 });
});

test('an execution that ends with its call is not taken up again', async () => {
  await connected({ execute: (call) => send(call, 0, 2) });
  await expect(seqs(client.execute(CODE), 2)).rejects.toThrow();
});

test.each([
  ['is not asked for again before it has started', false, 1],
  ['that is durable is', true, 2],
])('an execution %s', async (_name, durable, calls) => {
  let asked = 0;
  await connected({
    execute(call) {
      asked += 1;
      if (asked === 1) daemon.cutConnections();
      else send(call, 0);
    },
  });
  const seen = await seqs(client.execute({ ...CODE, requestId: 'r1', durable })).catch(() => 'lost');
  expect(seen).toEqual(durable ? [1, 2, 3, 4] : 'lost');
  expect(asked).toBe(calls);
});

test('attach goes on over lost connections, and ends where nothing is left', async () => {
  const attaches: number[] = [];
  await connected({
    attachExecution(call) {
      attaches.push(call.request.afterSeq);
      send(call, call.request.afterSeq, attaches.length === 1 ? 3 : 4);
    },
  });
  expect(await seqs(client.attach({ executionId: 'exec-1', afterSeq: 1 }), 3)).toEqual([2, 3, 4]);
  expect(attaches).toEqual([1, 3]);
  expect(await seqs(client.attach({ executionId: 'exec-1', afterSeq: 4 }))).toEqual([]);
});
