import { describe, expect, it } from 'vitest';
import { EnvEventLog } from '../../../src/domain/env/event-log.js';
import type { Env, EnvEvent, EnvEventBody, Operation } from '../../../src/domain/env/model.js';
import { UNTOUCHED_LIFE } from '../../support/env/untouched-life.js';
import { FakeEnvStore } from '../../support/env/fake-env-store.js';

const ENV: Env = {
  id: 'env-0123456789ab',
  tenant: 'default',
  userId: 'alice',
  systemId: 'default',
  appId: 'hello',
  state: 'deploying',
  stateReason: '',
  appDigest: '',
  runtime: 'node',
  port: null,
  url: '',
  directory: '',
  appDirectory: '',
  containerIds: [],
  createdAt: 0,
  updatedAt: 0,
  ...UNTOUCHED_LIFE,
};

const OPERATION: Operation = {
  id: 'op-1',
  envId: ENV.id,
  tenant: 'default',
  kind: 'deploy',
  state: 'running',
  requestId: '',
  requestDigest: '',
  startedAt: 0,
  endedAt: null,
  error: null,
  input: {},
};

async function openLog(): Promise<{
  log: EnvEventLog;
  store: FakeEnvStore;
  write(n: number): Promise<void>;
}> {
  const store = new FakeEnvStore();
  const log = new EnvEventLog(store);
  await log.claim(ENV, OPERATION, []);
  const write = async (n: number) => {
    const events = Array.from({ length: n }, () => ({
      envId: ENV.id,
      operationId: 'op-1',
      body: { type: 'warning', code: 'TEST', message: '' } as const,
    }));
    await log.commit({ events });
  };
  return { log, store, write };
}

async function take(events: AsyncIterable<EnvEvent>, count: number): Promise<number[]> {
  const seqs: number[] = [];
  for await (const event of events) {
    seqs.push(event.seq);
    if (seqs.length === count) break;
  }
  return seqs;
}

const CANCELLED: EnvEventBody = {
  type: 'cancelled',
  kind: 'deploy',
  message: '',
  undoErrors: [],
  elapsedMs: 0,
};

const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, index) => from + index);

describe('EnvEventLog', () => {
  it('has no gap and no repeat between history and present, under fast writers and slow readers', async () => {
    const { log, write } = await openLog();
    await write(150);
    const { signal } = new AbortController();
    const readers = [0, 70, 149, 150].map((after) =>
      take(log.subscribe(ENV.id, after, signal), 1_000 - after),
    );
    const slow = (async () => {
      const seqs: number[] = [];
      for await (const event of log.subscribe(ENV.id, 0, signal)) {
        seqs.push(event.seq);
        if (event.seq % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (event.seq === 1_000) return seqs;
      }
      return seqs;
    })();
    for (let written = 150; written < 1_000; written += 10) {
      await write(10);
      if (written % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const seen = await Promise.all(readers);
    expect(seen).toEqual([upTo(1_000), upTo(1_000, 71), upTo(1_000, 150), upTo(1_000, 151)]);
    expect(await slow).toEqual(upTo(1_000));
  });

  it('wakes a reader that waits, and lets it go when its signal is aborted', async () => {
    const { log, write } = await openLog();
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const event of log.subscribe(ENV.id, 0, controller.signal)) {
        seen.push(event.seq);
        if (event.seq === 3) setImmediate(() => controller.abort());
      }
    })();
    await write(2);
    await write(1);
    await reading;
    expect(seen).toEqual([1, 2, 3]);
  });

  it('follows one operation to its terminal event', async () => {
    const { log } = await openLog();
    const { signal } = new AbortController();
    const following = take(log.follow({ operationId: 'op-1', env: ENV, afterSeq: 0 }, signal), 10);
    const event = (operationId: string, code: string) => ({
      envId: ENV.id,
      operationId,
      body: { type: 'warning', code, message: '' } as const,
    });
    await log.commit({ events: [event('op-1', 'A'), event('', 'B')] });
    await log.commit({
      events: [event('op-2', 'C'), { envId: ENV.id, operationId: 'op-1', body: CANCELLED }],
    });
    await log.commit({ events: [event('op-3', 'D')] });
    expect(await following).toEqual([1, 4]);
  });

  it('ends at once for a reader that has had the terminal event, and refuses an operation that there is not', async () => {
    const { log, write } = await openLog();
    await write(120);
    await log.commit({ events: [{ envId: ENV.id, operationId: 'op-1', body: CANCELLED }] });
    const { signal } = new AbortController();
    const again = (operationId: string, afterSeq: number) =>
      take(log.followAgain({ operationId, env: ENV, afterSeq }, signal), 200);
    expect(await again('op-1', 119)).toEqual([120, 121]);
    expect(await again('op-1', 121)).toEqual([]);
    await expect(again('op-2', 0)).rejects.toMatchObject({ violations: [{ field: 'operation_id' }] });
  });

  it('says when history is gone, and refuses the future', async () => {
    const { log, store, write } = await openLog();
    await write(10);
    store.log.get(ENV.id)?.splice(0, 4);
    const { signal } = new AbortController();
    await expect(take(log.subscribe(ENV.id, 0, signal), 1)).rejects.toMatchObject({
      reason: 'HISTORY_GONE',
      metadata: { first_seq: '5' },
    });
    expect(await take(log.subscribe(ENV.id, 4, signal), 6)).toEqual(upTo(10, 5));
    await expect(take(log.subscribe(ENV.id, 11, signal), 1)).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
    });
  });
});

it('shows readers what was committed although the answer of the commit was lost', async () => {
  const { log, store, write } = await openLog();
  await write(1);
  const reader = log.subscribe(ENV.id, 0, AbortSignal.timeout(5_000))[Symbol.asyncIterator]();
  expect((await reader.next()).value).toMatchObject({ seq: 1 });
  const next = reader.next();
  const { commit } = store;
  store.commit = async (change) => {
    await commit.call(store, change);
    throw new Error('the connection was lost');
  };
  await expect(write(1)).rejects.toThrow('lost');
  expect((await next).value).toMatchObject({ seq: 2 });
  await reader.return?.();
});
