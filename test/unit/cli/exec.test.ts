import { expect, test } from 'vitest';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  OutputStream,
  type ExecEnvEvent,
  type ExecEnvRequest,
  type ExecEnvResponse,
} from '../../../clients/typescript/src/index.js';
import { DetachKeys } from '../../../src/cli/exec/detach-keys.js';
import { deferred } from '../../../src/lib/deferred.js';
import { harness } from './harness.js';

const ENV = 'env-0123456789ab';
const { daemon, berth, io: newIo } = harness();

type Call = ServerDuplexStream<ExecEnvRequest, ExecEnvResponse>;

function tell(call: Call, event: ExecEnvEvent['event']): void {
  call.write({ event: { seq: 1, time: new Date(), event } });
}

const output = (text: string, stream = OutputStream.STDOUT): ExecEnvEvent['event'] => ({
  $case: 'output',
  value: { stream, data: Buffer.from(text) },
});
const ended = (exitCode?: number, containerEnded = false): ExecEnvEvent['event'] => ({
  $case: 'ended',
  value: { exitCode, containerEnded, message: '' },
});

/** A daemon that gives what it is sent to `heard`, in the words of the contract. */
async function listening(heard: (text: string, call: Call) => void): Promise<ExecEnvRequest[]> {
  const requests: ExecEnvRequest[] = [];
  await daemon({
    env: {
      execEnv(call) {
        call.on('data', (request: ExecEnvRequest) => {
          requests.push(request);
          const { request: one } = request;
          heard(one?.$case === 'stdin' ? one.value.toString() : (one?.$case ?? ''), call);
        });
      },
    },
  });
  return requests;
}

test('exec sends the command and standard input, and ends as the command does', async () => {
  const requests = await listening((text, call) => {
    if (text !== 'stdinClosed') return;
    tell(call, { $case: 'started', value: { containerId: 'c', service: 'app', argv: [] } });
    tell(call, output('out\n'));
    tell(call, output('err\n', OutputStream.STDERR));
    tell(call, ended(42));
    call.end();
  });
  const io = newIo();
  io.stdin.end('typed');
  const args = ['--service', 'db', '--user', 'root', '-w', '/tmp', '-e', 'A=b=c', ENV, '--', 'ls', '-l'];
  expect((await berth(['exec', ...args], io)).code).toBe(42);
  expect(io.out.text).toBe('out\n');
  expect(io.err.text).toBe('err\n');
  expect(requests.map(({ request }) => request?.$case)).toEqual(['start', 'stdin', 'stdinClosed']);
  expect(requests[0]!.request).toMatchObject({
    value: {
      envId: ENV,
      service: 'db',
      argv: ['ls', '-l'],
      user: 'root',
      cwd: '/tmp',
      env: { A: 'b=c' },
      terminal: undefined,
      attach: false,
    },
  });
});

test('a shell in a terminal gets each key, its size, and gives the terminal back', async () => {
  const sized = deferred();
  const requests = await listening((text, call) => {
    if (text === 'resize') sized.resolve();
    if (text === 'exit\r') {
      tell(call, ended(0));
      call.end();
    }
  });
  const io = newIo({ terminal: true, env: { TERM: 'vt100' } });
  const raw: boolean[] = [];
  Object.assign(io.stdin, { isTTY: true, setRawMode: (mode: boolean) => raw.push(mode) });
  Object.assign(io.out, { columns: 100, rows: 30 });
  const done = berth(['exec', ENV], io);
  while (raw.length === 0) await new Promise((resolve) => setImmediate(resolve));
  Object.assign(io.out, { columns: 50, rows: 20 }).emit('resize');
  await sized.promise;
  io.stdin.write('exit\r');
  expect((await done).code).toBe(0);
  expect(raw).toEqual([true, false]);
  expect(requests.slice(0, 2).map(({ request }) => request?.value)).toEqual([
    expect.objectContaining({ argv: [], terminal: { size: { columns: 100, rows: 30 }, term: 'vt100' } }),
    { columns: 50, rows: 20 },
  ]);
  expect(io.out.listenerCount('resize')).toBe(0);
});

test('the terminal is given back when the call fails, too', async () => {
  await listening((_, call) => void call.emit('error', { code: 14, details: 'gone' }));
  const io = newIo({ terminal: true });
  const raw: boolean[] = [];
  Object.assign(io.stdin, { isTTY: true, setRawMode: (mode: boolean) => raw.push(mode) });
  expect((await berth(['exec', '-t', ENV, '--', 'top'], io)).code).toBe(125);
  expect(raw).toEqual([true, false]);
});

test('attach to an env is left with Ctrl-P Ctrl-Q', async () => {
  const typed = deferred();
  const requests = await listening((text, call) => {
    if (text === 'start')
      tell(call, { $case: 'started', value: { containerId: 'c', service: 'app', argv: [] } });
    if (text.includes('5\r')) typed.resolve();
  });
  const io = newIo({ terminal: true });
  Object.assign(io.stdin, { isTTY: true, setRawMode: () => true });
  const done = berth(['attach', ENV], io);
  await io.err.has('attached; Ctrl-P Ctrl-Q leaves it running');
  io.stdin.write('5\r');
  await typed.promise;
  io.stdin.write('\u0010\u0011');
  expect((await done).code).toBe(0);
  expect(io.err.text).toContain('detached; it runs on');
  expect(requests[0]!.request).toMatchObject({ value: { attach: true, envId: ENV } });
});

test('attach without input says when the container ended', async () => {
  await listening((text, call) => {
    if (text !== 'stdinClosed') return;
    tell(call, output('bye\n'));
    tell(call, ended(7, true));
    call.end();
  });
  const { code, io } = await berth(['attach', '--no-stdin', ENV]);
  expect(code).toBe(7);
  expect(io.out.text).toBe('bye\n');
  expect(io.err.text).toBe('the container ended\n');
});

test.each([
  [['ab', '\u0010\u0011'], 'ab', true],
  [['a\u0010', '\u0011b'], 'a', true],
  [['a\u0010', 'b'], 'a\u0010b', false],
  [['\u0010\u0010\u0011'], '\u0010', true],
  [['\u0011'], '\u0011', false],
])('of %j the detach keys leave %j', (chunks, left, detached) => {
  const keys = new DetachKeys();
  let bytes = '';
  let detach = false;
  for (const chunk of chunks) {
    const taken = keys.take(Buffer.from(chunk));
    bytes += Buffer.from(taken.bytes).toString();
    detach ||= taken.detach;
  }
  expect([bytes, detach]).toEqual([left, detached]);
});
