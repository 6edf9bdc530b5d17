import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  Env,
  EnvHealth,
  EnvOperation,
  EnvState,
  OperationOutcome,
  OutputStream,
  StreamEnvLogsResponse,
  type DeepPartial,
  type ListEnvsRequest,
  type StreamEnvLogsRequest,
} from '../../../clients/typescript/src/index.js';
import { envEvent } from '../client-typescript/env-events.js';
import { typedError } from '../client-typescript/fake-daemon.js';
import { harness } from './harness.js';

const { daemon, io: newIo, berth } = harness();

const MINUTE_MS = 60_000;

function env(id: string, more: DeepPartial<Env> = {}): Env {
  return Env.fromPartial({
    envId: id,
    appId: 'shop',
    userId: 'alice',
    systemId: 'default',
    state: EnvState.RUNNING,
    health: EnvHealth.HEALTHY,
    url: 'http://localhost:18000',
    createTime: new Date(Date.now() - 5 * MINUTE_MS - 1_000),
    expireTime: new Date(Date.now() + 55 * MINUTE_MS + 30_000),
    ...more,
  });
}

const ONE = 'env-aaaaaaaaaaaa';
const TWO = 'env-aabbbbbbbbbb';

test('ps shows a table of all pages', async () => {
  const asked: ListEnvsRequest[] = [];
  const pages = [[env(ONE)], [env(TWO, { state: EnvState.BROKEN, health: EnvHealth.UNSPECIFIED, url: '' })]];
  await daemon({
    env: {
      listEnvs(call, callback) {
        asked.push(call.request);
        const page = Number(call.request.pageToken || 0);
        callback(null, { envs: pages[page] ?? [], nextPageToken: page === 0 ? '1' : '' });
      },
    },
  });

  const { code, io } = await berth(['ps', '--user', 'alice']);

  expect(code).toBe(0);
  expect(io.out.lines).toEqual([
    'ENV               APP   USER   SYSTEM   STATE    HEALTH   URL                     AGE    EXPIRES',
    `${ONE}  shop  alice  default  running  healthy  http://localhost:18000  5 min  in 55 min`,
    `${TWO}  shop  alice  default  broken                                    5 min  in 55 min`,
  ]);
  expect(asked.map(({ userId, pageToken, states }) => [userId, pageToken, states])).toEqual([
    ['alice', '', []],
    ['alice', '1', []],
  ]);
});

test('ps --json answers one object, and --all asks for those that are gone', async () => {
  let states: EnvState[] = [];
  await daemon({
    env: {
      listEnvs(call, callback) {
        states = call.request.states;
        callback(null, { envs: [env(ONE)], nextPageToken: '' });
      },
    },
  });

  const { io } = await berth(['ps', '--json', '--all']);

  expect(JSON.parse(io.out.text)).toMatchObject({ envs: [{ envId: ONE, state: 'ENV_STATE_RUNNING' }] });
  expect(states).toContain(EnvState.DESTROYED);
  expect(states).not.toContain(EnvState.UNSPECIFIED);
});

test('ps without envs shows only the header', async () => {
  await daemon({ env: { listEnvs: (_call, callback) => callback(null, { envs: [], nextPageToken: '' }) } });
  const { io } = await berth(['ps']);
  expect(io.out.lines).toEqual(['ENV  APP  USER  SYSTEM  STATE  HEALTH  URL  AGE  EXPIRES']);
});

function line(text: string | Buffer, stream = OutputStream.STDOUT, service = 'app'): StreamEnvLogsResponse {
  return StreamEnvLogsResponse.fromPartial({
    cursor: 'c',
    entry: {
      $case: 'line',
      value: { service, stream, text: Buffer.from(text), time: new Date('2026-01-02T03:04:05.678Z') },
    },
  });
}

const LOGS = [
  line(Buffer.from([0x41, 0xff])),
  line('problem', OutputStream.STDERR),
  line('ready', OutputStream.STDOUT, 'db'),
  StreamEnvLogsResponse.fromPartial({
    entry: { $case: 'gap', value: { service: 'app', reason: 'rotated' } },
  }),
  StreamEnvLogsResponse.fromPartial({
    entry: { $case: 'containerChanged', value: { service: 'app', running: false, exitCode: 3 } },
  }),
];

test('logs go where they were written, byte for byte', async () => {
  let asked: StreamEnvLogsRequest | undefined;
  await daemon({
    env: {
      streamEnvLogs(call) {
        asked = call.request;
        for (const entry of LOGS) call.write(entry);
        call.end();
      },
    },
  });

  const { code, io } = await berth(['logs', '--tail', '10', '--service', 'app', '--service', 'db', ONE]);

  expect(code).toBe(0);
  expect(io.out.bytes).toEqual(Buffer.concat([Buffer.from([0x41, 0xff, 0x0a]), Buffer.from('db | ready\n')]));
  expect(io.err.lines).toEqual([
    'problem',
    '-- lines of app are missing: rotated --',
    '-- app ended with exit code 3 --',
  ]);
  expect(asked).toMatchObject({ envId: ONE, follow: false, tail: 10, services: ['app', 'db'] });
});

test("on a terminal an app's output gets no control of it, but for colours; --raw gives it", async () => {
  const hostile = '\u001b]0;owned\u0007\u001b[2J\u001b]52;c;cm0gLXJm\u0007\u009b6n\rforged';
  await daemon({
    env: {
      streamEnvLogs(call) {
        for (const text of [hostile, '\u001b[31mred', '\u001b[1mbold\u001b[0m', 'of a terminal\r', 'db'])
          call.write(line(text));
        call.end();
      },
    },
  });

  const terminal = newIo({ terminal: true });
  await berth(['logs', ONE], terminal);
  expect(terminal.out.lines).toEqual([
    '\ufffd]0;owned\ufffd\ufffd[2J\ufffd]52;c;cm0gLXJm\ufffd\ufffd6n\ufffdforged',
    '\u001b[31mred\u001b[0m',
    '\u001b[1mbold\u001b[0m',
    'of a terminal',
    'db',
  ]);
  const raw = newIo({ terminal: true });
  await berth(['logs', '--raw', ONE], raw);
  expect(raw.out.lines[0]).toBe(hostile);
  expect((await berth(['logs', ONE])).io.out.lines[0]).toBe(hostile);
});

test('logs --json and --timestamps', async () => {
  await daemon({
    env: {
      streamEnvLogs(call) {
        call.write(line('hello'));
        call.end();
      },
    },
  });

  const json = await berth(['logs', '--json', ONE]);
  expect(JSON.parse(json.io.out.text)).toEqual({
    cursor: 'c',
    service: 'app',
    stream: 'stdout',
    time: '2026-01-02T03:04:05.678Z',
    text: 'hello',
  });
  const stamped = await berth(['logs', '-t', ONE]);
  expect(stamped.io.out.text).toBe('2026-01-02T03:04:05.678Z hello\n');
});

test('logs chooses by time, text and output', async () => {
  let asked: StreamEnvLogsRequest | undefined;
  await daemon({
    env: {
      streamEnvLogs(call) {
        asked = call.request;
        call.end();
      },
    },
  });
  const times = ['--since', '2026-01-31T10:00:00Z', '--until', '2026-01-31T11:00:00Z'];
  expect((await berth(['logs', ...times, '--contains', 'oh no', '--stream', 'stderr', ONE])).code).toBe(0);
  expect(asked).toMatchObject({
    since: new Date('2026-01-31T10:00:00Z'),
    until: new Date('2026-01-31T11:00:00Z'),
    contains: 'oh no',
    stream: OutputStream.STDERR,
  });
  await berth(['logs', '--since', '10m', ONE]);
  expect(Date.now() - asked!.since!.getTime()).toBeGreaterThanOrEqual(600_000);
  expect((await berth(['logs', '--since', 'yesterday', ONE])).code).toBe(2);
});

test('logs -f stays until Ctrl-C and then says nothing', async () => {
  await daemon({ env: { streamEnvLogs: (call) => void call.write(line(`follow=${call.request.follow}`)) } });
  const io = newIo();
  const done = berth(['logs', '-f', ONE], io);
  await io.out.has('follow=true');
  io.interrupt();

  expect((await done).code).toBe(130);
  expect(io.err.text).toBe('');
});

test('an env may be named by the beginning of its id, if no other begins so', async () => {
  await daemon({
    env: {
      listEnvs: (_call, callback) => callback(null, { envs: [env(ONE), env(TWO)], nextPageToken: '' }),
      streamEnvLogs(call) {
        call.write(line(call.request.envId));
        call.end();
      },
    },
  });

  expect((await berth(['logs', 'aab'])).io.out.text).toBe(`${TWO}\n`);
  expect((await berth(['logs', 'env-aaa'])).io.out.text).toBe(`${ONE}\n`);
  const several = await berth(['logs', 'aa']);
  expect([several.code, several.io.err.text]).toEqual([2, `error: env-aa is not unique: ${ONE}, ${TWO}\n`]);
  const none = await berth(['logs', 'zz']);
  expect([none.code, none.io.err.text]).toEqual([
    2,
    "error: no env's id begins with env-zz; `berth ps` lists them\n",
  ]);
});

test.each([
  [
    'stop',
    'stopEnv',
    EnvOperation.STOP,
    OperationOutcome.STOPPED,
    'stopping',
    'is stopped; its data is kept',
  ],
  ['start', 'startEnv', EnvOperation.START, OperationOutcome.STARTED, 'starting', 'was started'],
  ['rm', 'destroyEnv', EnvOperation.DESTROY, OperationOutcome.DESTROYED, 'removing', 'is gone'],
] as const)('%s does it to each env', async (command, method, operation, outcome, begins, ends) => {
  const requestIds = new Set<string>();
  await daemon({
    env: {
      [method](call: {
        request: { envId: string; requestId: string };
        write(value: object): void;
        end(): void;
      }) {
        requestIds.add(call.request.requestId);
        const of = { envId: call.request.envId };
        call.write({ event: { ...envEvent(1, { $case: 'started', value: { operation } }), ...of } });
        call.write({
          event: { ...envEvent(2, { $case: 'succeeded', value: { outcome, tookMs: 5 } }), ...of },
        });
        call.end();
      },
    },
  });

  const { code, io } = await berth([command, ONE, TWO]);

  expect(code).toBe(0);
  expect(io.out.lines).toEqual([
    `${begins} ${ONE}`,
    `${ONE} ${ends} (5.0 ms)`,
    `${begins} ${TWO}`,
    `${TWO} ${ends} (5.0 ms)`,
  ]);
  expect(requestIds.size).toBe(2);
});

test('an env that is not there', async () => {
  const error = { code: status.NOT_FOUND, reason: 'ENV_NOT_FOUND', message: 'no env env-aaaaaaaaaaaa' };
  await daemon({ env: { destroyEnv: (call) => void call.emit('error', typedError(error)) } });
  const { code, io } = await berth(['rm', ONE]);
  expect(code).toBe(1);
  expect(io.err.text).toMatch(/^error: no env env-aaaaaaaaaaaa \(ENV_NOT_FOUND\)\n.*`berth ps` lists/);
});
