import { status, type ServerReadableStream, type sendUnaryData } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  App,
  connect,
  type BerthRpcError,
  type UploadAppRequest,
  type UploadAppResponse,
} from '../../../clients/typescript/src/index.js';
import { deferred } from '../../../src/lib/deferred.js';
import { FakeDaemon, typedError } from './fake-daemon.js';

type Call = ServerReadableStream<UploadAppRequest, UploadAppResponse>;
type Answer = sendUnaryData<UploadAppResponse>;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function clientOf(uploadApp: (call: Call, answer: Answer) => void) {
  const daemon = await FakeDaemon.start({ env: { uploadApp } });
  undo.push(() => daemon.stop());
  const client = connect({ address: daemon.address });
  undo.push(() => client.close());
  return client;
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as BerthRpcError,
  );

test('the header, with a request id, and then the archive in pieces that a message can carry', async () => {
  const messages: UploadAppRequest['request'][] = [];
  const client = await clientOf((call, answer) => {
    call.on('data', ({ request }: UploadAppRequest) => messages.push(request));
    call.on('end', () => answer(null, { app: App.fromPartial({ appId: 'shop' }) }));
  });
  const archive = Buffer.from('0123456789'.repeat(100_000));

  const app = await client.uploadApp({ appId: 'shop', replace: true }, archive);

  expect(app.appId).toBe('shop');
  expect(messages[0]).toMatchObject({ $case: 'header', value: { appId: 'shop', replace: true } });
  expect(messages[0]?.$case === 'header' && messages[0].value.requestId).toMatch(/^[0-9a-f-]{36}$/);
  const pieces = messages
    .slice(1)
    .map((message) => (message?.$case === 'data' ? message.value : Buffer.of()));
  expect(Math.max(...pieces.map(({ length }) => length))).toBe(256 * 1024);
  expect(Buffer.concat(pieces).equals(archive)).toBe(true);
});

test('a refusal ends an archive that would not end', async () => {
  const client = await clientOf((call, answer) => {
    let bytes = 0;
    call.on('data', ({ request }: UploadAppRequest) => {
      bytes += request?.$case === 'data' ? request.value.length : 0;
      if (bytes < 1_000_000) return;
      const violations = [{ field: '../x', rule: 'must not climb out' }];
      answer(
        typedError({ code: status.INVALID_ARGUMENT, reason: 'ARCHIVE_INVALID', message: 'no', violations }),
      );
    });
  });
  let left = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.alloc(100_000);
    } finally {
      left = true;
    }
  }
  const error = await failure(client.uploadApp({ appId: 'shop' }, endless()));
  expect(error).toMatchObject({ reason: 'ARCHIVE_INVALID', violations: [{ field: '../x' }] });
  expect(left).toBe(true);
});

test('an archive that fails, or whose sender cancels, is never taken for whole', async () => {
  const ended: string[] = [];
  const arrived = [deferred(), deferred()];
  const cancelled = [deferred(), deferred()];
  let calls = 0;
  const client = await clientOf((call) => {
    const here = arrived[calls]!;
    const mine = cancelled[calls++]!;
    call.on('data', () => here.resolve());
    // The end of the messages is heard of a turn before the cancel, as berthd's own server knows.
    call.on('end', () => setTimeout(() => call.cancelled || ended.push('end'), 0));
    call.on('cancelled', () => mine.resolve());
  });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10);
    await arrived[0]!.promise;
    throw new Error('the disk broke');
  }
  await expect(client.uploadApp({ appId: 'shop' }, broken())).rejects.toThrow('the disk broke');
  await cancelled[0]!.promise;

  const abort = new AbortController();
  async function* stopped(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10);
    await arrived[1]!.promise;
    abort.abort();
    yield Buffer.alloc(10);
  }
  const error = await failure(client.uploadApp({ appId: 'shop' }, stopped(), { signal: abort.signal }));
  expect(error.reason).toBe('CANCELLED');
  await cancelled[1]!.promise;
  expect(ended).toEqual([]);
});
