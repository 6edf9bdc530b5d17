import { expect, test } from 'vitest';
import {
  DestroyCause,
  Isolation,
  PoolAlertKind,
  Pool,
  PoolMissReason,
  PoolState,
  SandboxState,
  WatchPoolsResponse,
  type DeepPartial,
} from '../../../clients/typescript/src/index.js';
import { harness } from './harness.js';

const { daemon, berth } = harness();

function pool(more: DeepPartial<Pool> = {}): Pool {
  return Pool.fromPartial({
    poolId: 'pool-01234567',
    state: PoolState.READY,
    spec: { language: 'python', isolation: Isolation.REUSE, image: 'berth/sandbox-python:3.11@sha256:00' },
    availableSandboxes: 2,
    inUseSandboxes: 1,
    totalSandboxes: 3,
    minSize: 1,
    maxSize: 10,
    hits: 9,
    misses: 1,
    hitRate: 0.9,
    acquire: { count: 10, p50Ms: 0.12, p95Ms: 1500, p99Ms: 1500, maxMs: 1600 },
    ...more,
  });
}

test('the table of pools, with what is wrong below it', async () => {
  const answer = {
    pools: [pool({ backoff: { reason: 'IMAGE_NOT_FOUND', message: 'prepare the image' } })],
    nextPageToken: '',
    poolEnabled: true,
    budget: undefined,
  };
  await daemon({ pool: { listPools: (_call, callback) => callback(null, answer) } });

  const { code, io } = await berth(['pools']);

  expect(code).toBe(0);
  expect(io.out.lines).toEqual([
    'POOL           LANGUAGE  ISOLATION  STATE  READY  IN USE  TOTAL  MIN/MAX  HITS  ACQUIRE P50  P95',
    'pool-01234567  python    reuse      ready  2      1       3      1/10     90 %  0.12 ms      1.5 s',
    '! pool-01234567: sandboxes cannot be created (IMAGE_NOT_FOUND): prepare the image',
  ]);
});

test('all about one pool', async () => {
  const whole = pool({
    missCounts: [{ reason: PoolMissReason.ALL_IN_USE, count: 1 }],
    sandboxes: [
      {
        sandboxId: 'sbx-1',
        state: SandboxState.AVAILABLE,
        assigned: true,
        executionCount: 4,
        resetCount: 4,
        lastReset: { tookMs: 12 },
      },
    ],
  });
  let asked = '';
  await daemon({
    pool: {
      getPool(call, callback) {
        asked = call.request.poolId;
        callback(null, { poolEnabled: true, pool: whole, timestamp: undefined });
      },
    },
  });

  const { io } = await berth(['pools', 'pool-01234567']);

  expect(asked).toBe('pool-01234567');
  expect(io.out.text).toContain('9 of 10; misses: 1 all in use');
  expect(io.out.text).toContain('p50 0.12 ms, p95 1.5 s, p99 1.5 s, most 1.6 s (10 measured)');
  expect(io.out.lines.at(-1)).toMatch(/^sbx-1 +available, assigned +4 +4 +12 ms$/);
});

test('--json answers what the daemon answers; no pools is said', async () => {
  const answer = { pools: [], nextPageToken: '', poolEnabled: false, budget: undefined };
  await daemon({
    pool: {
      listPools: (_call, callback) => callback(null, answer),
      getPool: (_call, callback) => callback(null, { poolEnabled: true, pool: pool(), timestamp: undefined }),
    },
  });

  expect((await berth(['pools'])).io.out.text).toMatch(/switched off/);
  expect(JSON.parse((await berth(['pools', '--json', 'x'])).io.out.text)).toMatchObject({
    poolEnabled: true,
    pool: { poolId: 'pool-01234567', state: 'POOL_STATE_READY', acquire: { p50Ms: 0.12 } },
  });
});

test('resize, warm, drain and recycle ask for what was given, and show the pool after it', async () => {
  const asked: object[] = [];
  const answer = (call: { request: object }, callback: (error: null, value: never) => void): void => {
    asked.push(call.request);
    callback(null, { pool: pool(), cancelledExecutions: 2 } as never);
  };
  await daemon({
    pool: { resizePool: answer, warmPool: answer, drainPool: answer, recycleSandbox: answer },
  });

  const { io } = await berth([
    'pools',
    'resize',
    'pool-1',
    '--preset',
    'small',
    '--max',
    '4',
    '--hold',
    '5s',
  ]);
  await berth(['pools', 'warm', 'python', '-n', '2', '--no-wait']);
  const drained = await berth(['pools', 'drain', 'pool-1', '--timeout', '2s', '--remove']);
  const { io: recycled } = await berth(['pools', 'recycle', 'sbx-1', '--force', '--json']);

  expect(io.out.lines[1]).toContain('pool-01234567');
  expect(drained.io.err.text).toContain('2 executions were cancelled');
  expect(JSON.parse(recycled.out.text)).toMatchObject({ poolId: 'pool-01234567' });
  expect(asked).toMatchObject([
    { poolId: 'pool-1', preset: 'small', settings: { maxSize: 4, tenantHoldMs: 5_000 } },
    { target: { $case: 'spec', value: { language: 'python' } }, count: 2, noWait: true },
    { poolId: 'pool-1', timeoutMs: 2_000, remove: true },
    { sandboxId: 'sbx-1', force: true },
  ]);
});

test('resize with nothing to change is a mistake of the user', async () => {
  const { code, io } = await berth(['pools', 'resize', 'pool-1']);
  expect(code).toBe(2);
  expect(io.err.text).toContain('nothing to change');
});

test('watch says what happens, one line an event', async () => {
  await daemon({
    pool: {
      watchPools(call) {
        for (const event of [
          { $case: 'snapshot', value: { pool: pool() } },
          { $case: 'sandboxDestroyed', value: { sandboxId: 'sbx-1', cause: DestroyCause.UNHEALTHY } },
          { $case: 'alertRaised', value: { kind: PoolAlertKind.EXHAUSTED, message: 'none is left' } },
        ] as const)
          call.write(
            WatchPoolsResponse.fromPartial({ event: { poolId: 'pool-1', time: new Date(0), event } }),
          );
        call.end();
      },
    },
  });

  const { io } = await berth(['pools', 'watch']);

  expect(io.out.lines).toEqual([
    '1970-01-01T00:00:00.000Z pool-1 ready: 2 ready, 1 in use, 3 of at most 10',
    '1970-01-01T00:00:00.000Z pool-1 sbx-1 destroyed after 0 executions, unhealthy',
    '1970-01-01T00:00:00.000Z pool-1 ! exhausted: none is left',
  ]);
});
