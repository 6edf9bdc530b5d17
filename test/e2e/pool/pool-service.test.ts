import { describe, expect, it } from 'vitest';
import {
  GetPoolRequest,
  ListPoolsRequest,
  PoolState,
  ResizePoolRequest,
  SandboxState,
  status,
  WarmPoolRequest,
  type BerthClient,
} from '../../../clients/typescript/src/index.js';
import { containersOf } from '../../support/docker-cli.js';
import type { TestDaemon } from '../../support/daemon.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';
import { failure } from '../../support/rpc-failure.js';

let daemon: TestDaemon;
let client: BerthClient;
daemonOfFile({}, (started) => ({ daemon, client } = started));

async function thePool() {
  const { pool } = await client.pool.getPool(GetPoolRequest.fromPartial({}));
  return pool!;
}

describe('PoolService', () => {
  it('lists the pool and shows each of its sandboxes', async () => {
    const { pools, poolEnabled } = await client.pool.listPools(ListPoolsRequest.fromPartial({}));
    expect(poolEnabled).toBe(true);
    expect(pools).toHaveLength(1);
    const pool = await thePool();
    expect(pool).toMatchObject({
      state: PoolState.READY,
      minSize: 1,
      maxSize: 4,
      inUseSandboxes: 0,
      spec: { language: 'python' },
    });
    expect(pool.sandboxes).toHaveLength(pool.totalSandboxes);
    expect(pool.sandboxes[0]).toMatchObject({
      state: SandboxState.AVAILABLE,
      executionCount: 0,
      assigned: false,
    });
    expect(await containersOf(daemon.owner)).toContain(pool.sandboxes[0]!.containerId);
  });

  it('counts what happens in it', async () => {
    const before = await thePool();
    const result = await client.run({
      language: 'python',
      source: { $case: 'code', value: 'open("/tmp/x", "w").write("1")' },
    });
    expect(result.exitCode).toBe(0);
    await daemon.logged((line) => line.event === 'sandbox_returned');
    const after = await thePool();
    expect(after.totalExecutions).toBe(before.totalExecutions + 1);
    expect(after.totalResets).toBe(before.totalResets + 1);
    expect(after.hits + after.misses).toBe(before.hits + before.misses + 1);
    expect(after.reset?.count).toBeGreaterThan(0);
    const used = after.sandboxes.find((sandbox) => sandbox.sandboxId === result.started.sandboxId);
    expect(used).toMatchObject({
      assigned: true,
      executionCount: 1,
      resetCount: 1,
      lastReset: { ok: true, removedFiles: expect.toSatisfy((n: number) => n >= 1) },
    });
  });

  it('warms more sandboxes on request, and goes back to fewer', async () => {
    const { poolId } = await thePool();
    await client.pool.warmPool(
      WarmPoolRequest.fromPartial({ target: { $case: 'poolId', value: poolId }, count: 2 }),
    );
    expect((await thePool()).freshSandboxes).toBeGreaterThanOrEqual(2);
    const resized = await client.pool.resizePool(
      ResizePoolRequest.fromPartial({ poolId, settings: { minSize: 0, initialSize: 0, maxSize: 2 } }),
    );
    expect(resized.pool).toMatchObject({ minSize: 0, maxSize: 2 });
    await client.pool.resizePool(
      ResizePoolRequest.fromPartial({ poolId, settings: { minSize: 1, initialSize: 1, maxSize: 4 } }),
    );
    await client.pool.warmPool(
      WarmPoolRequest.fromPartial({ target: { $case: 'poolId', value: poolId }, count: 1 }),
    );
    expect((await thePool()).freshSandboxes).toBeGreaterThanOrEqual(1);
  });

  it('makes a pool for a spec of its own', async () => {
    const { pool } = await client.pool.warmPool(
      WarmPoolRequest.fromPartial({
        target: { $case: 'spec', value: { language: 'python', limits: { memoryBytes: 128 * 1024 * 1024 } } },
        count: 1,
        settings: { minSize: 0, initialSize: 0, maxSize: 1 },
      }),
    );
    expect(pool?.spec?.limits?.memoryBytes).toBe(128 * 1024 * 1024);
    const result = await client.run({
      language: 'python',
      source: { $case: 'code', value: 'print(1)' },
      limits: { memoryBytes: 128 * 1024 * 1024 },
    });
    expect(result.started.poolId).toBe(pool?.poolId);
  });

  it.each([
    [
      'an unknown pool',
      () => client.pool.getPool(GetPoolRequest.fromPartial({ poolId: 'pool-none' })),
      'POOL_NOT_FOUND',
      status.NOT_FOUND,
    ],
    [
      'no pool named',
      () => client.pool.resizePool(ResizePoolRequest.fromPartial({})),
      'INVALID_ARGUMENT',
      status.INVALID_ARGUMENT,
    ],
    [
      'neither pool nor spec',
      () => client.pool.warmPool(WarmPoolRequest.fromPartial({})),
      'INVALID_ARGUMENT',
      status.INVALID_ARGUMENT,
    ],
    [
      'an unknown preset',
      async () =>
        client.pool.resizePool(
          ResizePoolRequest.fromPartial({ poolId: (await thePool()).poolId, preset: 'constructor' }),
        ),
      'INVALID_ARGUMENT',
      status.INVALID_ARGUMENT,
    ],
    [
      'sizes that cannot be',
      async () =>
        client.pool.resizePool(
          ResizePoolRequest.fromPartial({
            poolId: (await thePool()).poolId,
            settings: { minSize: 5, maxSize: 2 },
          }),
        ),
      'INVALID_ARGUMENT',
      status.INVALID_ARGUMENT,
    ],
  ])('refuses %s', async (_name, call, reason, code) => {
    const error = await failure(call());
    expect(error.reason).toBe(reason);
    expect(error.code).toBe(code);
  });
});
