import { describe, expect, it } from 'vitest';
import {
  DestroyCause,
  DrainPoolRequest,
  EndReason,
  ExecutionLimits,
  GetPoolRequest,
  ListPoolsRequest,
  PoolMissReason,
  PoolState,
  RecycleSandboxRequest,
  ResizePoolRequest,
  ServedBy,
  status,
  WarmPoolRequest,
  WatchPoolsRequest,
  type BerthClient,
  type BerthRpcError,
  type PoolEvent,
} from '../../../clients/typescript/src/index.js';
import type { TestDaemon } from '../../support/daemon.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';
import { containersOf, docker } from '../../support/docker-cli.js';
import { failure } from '../../support/rpc-failure.js';

const MIB = 1024 * 1024;

let daemon: TestDaemon;
let client: BerthClient;
daemonOfFile(
  {
    env: {
      BERTH_POOL_HEALTH_INTERVAL_MS: '1000',
      BERTH_SANDBOX_MEMORY_BYTES: String(128 * MIB),
      BERTH_BUDGET_MEMORY_BYTES: String(3 * 128 * MIB),
    },
  },
  (started) => ({ daemon, client } = started),
);

const python = (code: string) => ({ language: 'python', source: { $case: 'code', value: code } as const });

async function thePool() {
  return (await client.pool.getPool(GetPoolRequest.fromPartial({}))).pool!;
}

type EventCase = NonNullable<PoolEvent['event']>['$case'];

/** A watch that collects what comes until it is stopped. */
function watching(request: Parameters<typeof WatchPoolsRequest.fromPartial>[0] = {}) {
  const abort = new AbortController();
  const seen: PoolEvent[] = [];
  const looking = new Set<() => void>();
  const ended = (async () => {
    const stream = client.pool.watchPools(WatchPoolsRequest.fromPartial(request), { signal: abort.signal });
    for await (const { event } of stream) {
      seen.push(event!);
      for (const look of looking) look();
    }
  })().catch((error: unknown) => error as BerthRpcError);
  return {
    seen,
    ended,
    /** The first event of a kind, now or later, for which `wanted` holds. */
    first(kind: EventCase, wanted: (event: PoolEvent) => boolean = () => true): Promise<PoolEvent> {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = seen.find((event) => event.event?.$case === kind && wanted(event));
          if (found === undefined) return;
          looking.delete(look);
          resolve(found);
        };
        looking.add(look);
        look();
      });
    },
    async stop(): Promise<void> {
      abort.abort();
      await ended;
    },
  };
}

describe('a pool through its life', () => {
  it('checks its idle sandboxes on five points', async () => {
    const isChecked = async (): Promise<boolean> => (await thePool()).healthChecks > 0;
    while (!(await isChecked())) await new Promise((resolve) => setTimeout(resolve, 100));
    const pool = await thePool();
    expect(pool.healthCheckFailures).toBe(0);
    expect(pool.memoryBytes).toBeGreaterThan(MIB);
    const checked = pool.sandboxes.find(({ health }) => health !== undefined);
    expect(checked?.health).toMatchObject({
      healthy: true,
      running: true,
      responsive: true,
      memoryOk: true,
      processesOk: true,
      rootReadOnly: true,
      processes: 3,
      message: '',
    });
  });

  it('is watched: each execution where that is asked for, and a container that dies, at once', async () => {
    const watch = watching({ includeExecutions: true });
    const changes = watching();
    await Promise.all([watch.first('snapshot'), changes.first('snapshot')]);
    const { started } = await client.run(python('open("/tmp/x", "w").write("1")'));
    await watch.first('sandboxReturned');
    expect(watch.seen.map(({ event }) => event?.$case)).toEqual(
      expect.arrayContaining(['sandboxAcquired', 'sandboxReset']),
    );
    const { recentResets, sandboxes } = await thePool();
    expect(recentResets[0]).toMatchObject({ sandboxId: started.sandboxId, receipt: { ok: true, error: '' } });
    const { containerId } = sandboxes.find(({ sandboxId }) => sandboxId === started.sandboxId)!;

    await docker('kill', containerId);
    const destroyed = await changes.first('sandboxDestroyed');
    expect(destroyed.event).toMatchObject({
      value: { sandboxId: started.sandboxId, cause: DestroyCause.DIED, executionCount: 1 },
    });
    expect(changes.seen.some(({ event }) => event?.$case === 'sandboxAcquired')).toBe(false);
    await Promise.all([watch.stop(), changes.stop()]);

    const again = watching({ afterSeq: destroyed.seq - 1 });
    expect(await again.first('sandboxDestroyed')).toMatchObject({ seq: destroyed.seq });
    await again.stop();
    const gone = watching({ afterSeq: 1_000_000 });
    expect(await gone.ended).toMatchObject({ code: status.OUT_OF_RANGE, reason: 'HISTORY_GONE' });
  });

  it('serves a request that insists on a container of its own, and removes that after it', async () => {
    const { started } = await client.run({ ...python('print(1)'), ownContainer: true });
    expect(started).toMatchObject({
      servedBy: ServedBy.ONE_SHOT,
      missReason: PoolMissReason.OWN_CONTAINER,
      poolId: '',
    });
    expect(started.servedReason).not.toBe('');
    await daemon.logged(
      (line) => line.event === 'sandbox_destroyed' && line['sandbox'] === started.sandboxId,
    );
  });

  it('takes the sandbox from the pool that is named, and refuses what contradicts it', async () => {
    const { poolId } = await thePool();
    expect((await client.run({ ...python('print(1)'), poolId })).started.poolId).toBe(poolId);
    const refused = await failure(
      client.run({
        ...python('print(1)'),
        poolId,
        limits: ExecutionLimits.fromPartial({ memoryBytes: 64 * MIB }),
      }),
    );
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, reason: 'INVALID_ARGUMENT' });
  });

  it('stays within the budget of the host: who waits gets the place of what is idle, or is told', async () => {
    const { budget } = await client.pool.listPools(ListPoolsRequest.fromPartial({}));
    expect(budget).toMatchObject({ memoryLimitBytes: 3 * 128 * MIB });
    // The standing pool holds some; a pool of another spec needs their room.
    const { started } = await client.run({
      ...python('print(1)'),
      limits: ExecutionLimits.fromPartial({ memoryBytes: 256 * MIB }),
    });
    expect([PoolMissReason.HOST_BUDGET, PoolMissReason.NEW_POOL]).toContain(started.missReason);
    const refused = await failure(
      client.run({
        ...python('print(1)'),
        limits: ExecutionLimits.fromPartial({ memoryBytes: 512 * MIB }),
      }),
    );
    expect(refused).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: 'HOST_BUDGET' });
    const after = await client.pool.listPools(ListPoolsRequest.fromPartial({ pageSize: 1 }));
    expect(after.budget!.memoryPromisedBytes).toBeLessThanOrEqual(3 * 128 * MIB);
    expect(after.pools).toHaveLength(1);
    const rest = await client.pool.listPools(
      ListPoolsRequest.fromPartial({ pageToken: after.nextPageToken }),
    );
    expect(rest.pools).toHaveLength(1);
    expect(rest.nextPageToken).toBe('');
    // Its room is needed by the tests below.
    await client.pool.drainPool(
      DrainPoolRequest.fromPartial({ poolId: rest.pools[0]!.poolId, remove: true }),
    );
  });

  it('answers a repeated request_id as at first, and refuses another content under it', async () => {
    const { poolId } = await thePool();
    const resize = (idleTimeoutMs: number) =>
      client.pool.resizePool(
        ResizePoolRequest.fromPartial({ requestId: 'resize-1', poolId, settings: { idleTimeoutMs } }),
      );
    const first = await resize(120_000);
    await client.pool.resizePool(
      ResizePoolRequest.fromPartial({
        poolId,
        settings: {
          healthIntervalMs: 2_000,
          maxUses: 50,
          maxAgeMs: 60_000,
          tenantHoldMs: 5_000,
          resetTimeoutMs: 3_000,
        },
      }),
    );
    expect(await resize(120_000)).toEqual(first);
    expect(await failure(resize(130_000))).toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    expect((await thePool()).settings).toMatchObject({
      idleTimeoutMs: 120_000,
      healthIntervalMs: 2_000,
      maxUses: 50,
      maxAgeMs: 60_000,
      tenantHoldMs: 5_000,
      resetTimeoutMs: 3_000,
    });
  });

  it('replaces a sandbox on request, ending what runs in it by force', async () => {
    const watch = watching({ includeExecutions: true });
    await watch.first('snapshot');
    const running = client.run(python('import time; time.sleep(60)'));
    const acquired = await watch.first('sandboxAcquired');
    const { sandboxId } = (acquired.event as { value: { sandboxId: string } }).value;
    await client.pool.recycleSandbox(RecycleSandboxRequest.fromPartial({ sandboxId, force: true }));
    expect((await running).reason).toBe(EndReason.CANCELLED);
    const destroyed = await watch.first('sandboxDestroyed');
    expect(destroyed.event).toMatchObject({ value: { sandboxId, cause: DestroyCause.RECYCLED } });
    await watch.stop();
    const missing = await failure(
      client.pool.recycleSandbox(RecycleSandboxRequest.fromPartial({ sandboxId })),
    );
    expect(missing).toMatchObject({ code: status.NOT_FOUND, reason: 'SANDBOX_NOT_FOUND' });
  });

  it('is drained and brought back', async () => {
    const { poolId } = await thePool();
    const watch = watching({ includeExecutions: true });
    await watch.first('snapshot');
    const running = client.run(python('import time; time.sleep(60)'));
    await watch.first('sandboxAcquired');
    const drained = await client.pool.drainPool(DrainPoolRequest.fromPartial({ poolId, timeoutMs: 1 }));
    expect(drained).toMatchObject({
      cancelledExecutions: 1,
      pool: { state: PoolState.DRAINED, totalSandboxes: 0 },
    });
    expect((await running).reason).toBe(EndReason.CANCELLED);
    await watch.first(
      'stateChanged',
      ({ event }) => event?.$case === 'stateChanged' && event.value.to === PoolState.DRAINED,
    );
    await watch.stop();
    expect(await containersOf(daemon.owner)).toEqual([]);
    const meanwhile = await client.run(python('print(1)'));
    expect(meanwhile.started).toMatchObject({
      servedBy: ServedBy.ONE_SHOT,
      missReason: PoolMissReason.DRAINING,
    });
    const warmed = await client.pool.warmPool(
      WarmPoolRequest.fromPartial({ target: { $case: 'poolId', value: poolId }, count: 1 }),
    );
    expect(warmed.pool).toMatchObject({ state: PoolState.READY, freshSandboxes: 1 });
    expect((await client.run(python('print(1)'))).started.servedBy).toBe(ServedBy.POOL);
  });
});
