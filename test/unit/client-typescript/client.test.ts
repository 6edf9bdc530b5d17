import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  BerthRpcError,
  connect,
  EndReason,
  ExecuteEvent,
  OutputStream,
  type BerthClient,
  type DeepPartial,
  type ExecuteRequest,
  type ExecuteResponse,
  type ListEnvsRequest,
} from '../../../clients/typescript/src/index.js';
import { deferred } from '../../../src/lib/deferred.js';
import { FakeDaemon, typedError, type Methods } from './fake-daemon.js';

let daemon: FakeDaemon | undefined;
let client: BerthClient | undefined;

async function connected(methods: Methods, tenant?: string): Promise<BerthClient> {
  daemon = await FakeDaemon.start(methods);
  client = connect({ address: daemon.address, tenant });
  return client;
}

afterEach(async () => {
  client?.close();
  await daemon?.stop();
  daemon = client = undefined;
});

type ExecuteCall = ServerWritableStream<ExecuteRequest, ExecuteResponse>;

function send(call: ExecuteCall, seq: number, event: DeepPartial<ExecuteEvent>['event']): void {
  call.write({ event: ExecuteEvent.fromPartial({ seq, event }) });
}

const CODE = { $case: 'code', value: 'print(1)' } as const;

test('run collects both outputs, the exit code and the usage', async () => {
  const asked = deferred<ExecuteRequest>();
  const berth = await connected({
    sandbox: {
      execute(call) {
        asked.resolve(call.request);
        send(call, 1, { $case: 'started', value: { sandboxId: 'sbx-1' } });
        send(call, 2, {
          $case: 'output',
          value: { stream: OutputStream.STDOUT, data: Buffer.from([0xff, 0x00]) },
        });
        send(call, 3, { $case: 'output', value: { stream: OutputStream.STDERR, data: Buffer.from('oops') } });
        send(call, 4, { $case: 'output', value: { stream: OutputStream.STDOUT, data: Buffer.from('!') } });
        send(call, 5, {
          $case: 'ended',
          value: { reason: EndReason.EXITED, exitCode: 3, usage: { wallMs: 7.5 } },
        });
        call.end();
      },
    },
  });

  const result = await berth.run({ language: 'python', source: CODE, limits: { wallMs: 500 } });

  expect(result).toMatchObject({
    reason: EndReason.EXITED,
    exitCode: 3,
    truncated: false,
    usage: { wallMs: 7.5 },
    started: { sandboxId: 'sbx-1' },
  });
  expect(result.stdout).toEqual(Buffer.from([0xff, 0x00, 0x21]));
  expect(result.stderr.toString()).toBe('oops');
  expect(await asked.promise).toMatchObject({
    language: 'python',
    source: CODE,
    limits: { wallMs: 500, outputBytes: 0 },
  });
});

test('run keeps output up to its bound and says that some is missing', async () => {
  const berth = await connected({
    sandbox: {
      execute(call) {
        send(call, 1, { $case: 'started', value: {} });
        for (let seq = 2; seq < 12; seq++) {
          send(call, seq, {
            $case: 'output',
            value: { stream: OutputStream.STDOUT, data: Buffer.alloc(100, 'x') },
          });
        }
        send(call, 12, { $case: 'ended', value: { reason: EndReason.EXITED, exitCode: 0 } });
        call.end();
      },
    },
  });

  const result = await berth.run({ source: CODE }, { maxCollectedBytes: 250 });

  expect(result.stdout.byteLength).toBe(250);
  expect(result.truncated).toBe(true);
});

test('a stream without its terminal event did not complete', async () => {
  const berth = await connected({
    sandbox: {
      execute(call) {
        send(call, 1, { $case: 'started', value: {} });
        call.end();
      },
    },
  });

  await expect(berth.run({ source: CODE })).rejects.toMatchObject({ code: status.UNAVAILABLE });
});

test('a result is there with its terminal event; the call then comes to its own end and is not cancelled', async () => {
  const begun = deferred<ExecuteCall>();
  const berth = await connected({
    sandbox: {
      execute(call) {
        send(call, 1, { $case: 'started', value: {} });
        send(call, 2, { $case: 'ended', value: { reason: EndReason.EXITED, exitCode: 4 } });
        begun.resolve(call);
      },
    },
    env: { listEnvs: (_call, callback) => callback(null, { envs: [], nextPageToken: '' }) },
  });

  expect((await berth.run({ source: CODE })).exitCode).toBe(4);

  const call = await begun.promise;
  // A cancel would have come before this on the same connection.
  await berth.env.listEnvs();
  expect(call.cancelled).toBe(false);
  call.end();
});

test('errors carry reason, metadata, violations and the time of the next try', async () => {
  const berth = await connected({
    env: {
      getEnv: (_call, callback) =>
        callback(
          typedError({
            code: status.INVALID_ARGUMENT,
            reason: 'INVALID_ARGUMENT',
            message: 'env_id: must be an env id',
            metadata: { limit: '64' },
            violations: [{ field: 'env_id', rule: 'must be an env id' }],
            retryAfterMs: 1_250,
          }),
        ),
    },
  });

  const error = await berth.env.getEnv({ envId: '../' }).catch((thrown: unknown) => thrown);

  expect(error).toBeInstanceOf(BerthRpcError);
  expect(error).toMatchObject({
    code: status.INVALID_ARGUMENT,
    status: 'INVALID_ARGUMENT',
    reason: 'INVALID_ARGUMENT',
    message: 'env_id: must be an env id',
    metadata: { limit: '64' },
    violations: [{ field: 'env_id', rule: 'must be an env id' }],
    retryAfterMs: 1_250,
  });
});

test('a typed error of a stream is decoded like that of a unary call', async () => {
  const berth = await connected({
    sandbox: {
      execute: (call) =>
        void call.emit(
          'error',
          typedError({ code: status.RESOURCE_EXHAUSTED, reason: 'POOL_EXHAUSTED', message: 'full' }),
        ),
    },
  });

  await expect(berth.run({ source: CODE })).rejects.toMatchObject({
    reason: 'POOL_EXHAUSTED',
    status: 'RESOURCE_EXHAUSTED',
  });
});

test('the tenant goes with every call, and fields left out take their defaults', async () => {
  const seen = deferred<{ tenant: unknown; request: ListEnvsRequest }>();
  const berth = await connected(
    {
      env: {
        listEnvs(call, callback) {
          seen.resolve({ tenant: call.metadata.get('berth-tenant'), request: call.request });
          callback(null, { envs: [], nextPageToken: '' });
        },
      },
    },
    'team-a',
  );

  expect(await berth.env.listEnvs({ userId: 'alice' })).toEqual({ envs: [], nextPageToken: '' });
  expect(await seen.promise).toEqual({
    tenant: ['team-a'],
    request: {
      pageSize: 0,
      pageToken: '',
      userId: 'alice',
      systemId: '',
      appId: '',
      states: [],
      labels: {},
    },
  });
});

test('leaving the loop cancels the call', async () => {
  const gone = deferred();
  const berth = await connected({
    sandbox: {
      execute(call) {
        call.on('cancelled', () => gone.resolve());
        send(call, 1, { $case: 'started', value: {} });
      },
    },
  });

  for await (const event of berth.execute({ source: CODE })) {
    expect(event.seq).toBe(1);
    break;
  }

  await gone.promise;
});

test('aborting the signal cancels a stream that says nothing', async () => {
  const abort = new AbortController();
  const gone = deferred();
  const berth = await connected({
    sandbox: {
      execute(call) {
        call.on('cancelled', () => gone.resolve());
        abort.abort(new Error('enough'));
      },
    },
  });

  await expect(berth.run({ source: CODE }, { signal: abort.signal })).rejects.toMatchObject({
    status: 'CANCELLED',
    cause: new Error('enough'),
  });
  await gone.promise;
});

test('closing the client cancels what is under way, at the daemon too', async () => {
  const gone = deferred();
  const asked = deferred();
  const berth = await connected({
    sandbox: {
      execute(call) {
        call.on('cancelled', () => gone.resolve());
        asked.resolve();
      },
    },
  });

  const running = berth.run({ source: CODE });
  running.catch(() => undefined);
  await asked.promise;
  berth.close();

  await expect(running).rejects.toMatchObject({ status: 'CANCELLED' });
  await gone.promise;
});

test('a unary call can be cancelled, and ends at its time limit', async () => {
  const abort = new AbortController();
  const berth = await connected({ env: { getEnv: () => {} } });

  const slow = berth.env.getEnv({ envId: 'x' }, { signal: abort.signal });
  abort.abort();
  await expect(slow).rejects.toMatchObject({ status: 'CANCELLED' });
  await expect(berth.env.getEnv({ envId: 'x' }, { timeoutMs: 20 })).rejects.toMatchObject({
    status: 'DEADLINE_EXCEEDED',
  });
});

test('a slow reader holds its producer back', async () => {
  const CHUNK = Buffer.alloc(64 * 1024);
  const TOTAL = 400;
  let written = 0;
  const stalled = deferred();
  const berth = await connected({
    sandbox: {
      execute(call) {
        const fill = (): void => {
          while (written < TOTAL) {
            written += 1;
            const event = {
              $case: 'output',
              value: { stream: OutputStream.STDOUT, data: CHUNK },
            } as const;
            if (!call.write({ event: { seq: written, time: undefined, event } })) {
              stalled.resolve();
              call.once('drain', fill);
              return;
            }
          }
          send(call, TOTAL + 1, { $case: 'ended', value: { reason: EndReason.EXITED, exitCode: 0 } });
          call.end();
        };
        fill();
      },
    },
  });

  const events = berth.execute({ source: CODE });
  await events.next();
  await stalled.promise;
  const whileNobodyReads = await settles(() => written);
  expect(whileNobodyReads).toBeLessThan(TOTAL / 2);
  let seen = 1;
  for await (const event of events) seen = event.seq;
  expect(seen).toBe(TOTAL + 1);
});

/** The value once it has stayed the same for twenty turns of I/O. */
async function settles(read: () => number): Promise<number> {
  let value = read();
  for (let same = 0; same < 20; same++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (read() !== value) {
      value = read();
      same = 0;
    }
  }
  return value;
}

test('a daemon that is not there is an error at once', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');

  client = connect({ address: `127.0.0.1:${port}` });
  const error: unknown = await client
    .deploy({ userId: 'alice', appId: 'shop' })
    .next()
    .catch((thrown: unknown) => thrown);

  expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: undefined });
});
