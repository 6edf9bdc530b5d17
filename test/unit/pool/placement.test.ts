import { describe, expect, it, onTestFinished } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import type { AcquireProgress, Lease } from '../../../src/domain/pool/lease.js';
import type { PoolRequest } from '../../../src/domain/pool/placement.js';
import { PoolManager, type PoolManagerOptions } from '../../../src/domain/pool/pool-manager.js';
import type { SandboxEngine } from '../../../src/domain/sandbox/engine.js';
import { Languages } from '../../../src/domain/sandbox/languages.js';
import { FakeFactory, SPEC } from '../../support/fake-sandboxes.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { PLENTY, settle, SETTINGS } from './make-pool.js';

const REQUEST: PoolRequest = {
  tenant: 'a',
  language: 'python',
  version: '',
  image: '',
  isolation: 'reuse',
  limits: { memoryBytes: 0, cpuMillis: 0, processes: 0, scratchBytes: 0 },
  acquireTimeoutMs: 0,
  poolId: '',
  poolPreset: '',
  ownContainer: false,
  degrade: { forbidOneShot: false, forbidLocal: false },
};

const AWAY = new BerthError('DOCKER_UNAVAILABLE', 'Docker does not answer');

function engine(name: 'docker' | 'local', problem?: () => BerthError | undefined): SandboxEngine {
  return {
    name,
    async resolveImage() {
      const error = problem?.();
      if (error !== undefined) throw error;
      return 'sha256:0';
    },
    create: () => Promise.reject(new Error('the factory makes sandboxes')),
    removeStrays: () => Promise.resolve([]),
  };
}

async function manager(
  factory: FakeFactory,
  options: Partial<PoolManagerOptions> = {},
): Promise<{ pools: PoolManager; acquire: (request?: Partial<PoolRequest>) => Promise<Lease> }> {
  const pools = new PoolManager({
    engine: engine('docker'),
    factory,
    local: undefined,
    languages: new Languages([{ name: 'python', version: '3.11', image: SPEC.image, entry: 'main.py' }]),
    logger: new SilentLogger(),
    limits: SPEC.limits,
    settings: SETTINGS,
    budget: PLENTY,
    pooling: true,
    acquireTimeoutMs: 5_000,
    createTimeoutMs: 5_000,
    parallelCreates: 2,
    ...options,
  });
  const leases: Lease[] = [];
  onTestFinished(async () => {
    const closing = pools.close();
    for (const lease of leases) lease.release();
    await closing;
  });
  await pools.start();
  await settle();
  return {
    pools,
    acquire: async (request) => {
      const lease = await pools.acquire({ ...REQUEST, ...request }, {});
      leases.push(lease);
      return lease;
    },
  };
}

describe('PoolManager.acquire', () => {
  it('gives a hit of the standing pool', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }));
    expect(await acquire()).toMatchObject({ servedBy: 'pool', hit: true, poolId: pools.get('').id });
    expect(await acquire({ tenant: 'b' })).toMatchObject({ hit: true, servedReason: '' });
  });

  it('makes a container for a request that insists, on the same budget, and removes it after', async () => {
    const factory = new FakeFactory({ auto: true });
    const { pools, acquire } = await manager(factory);
    const before = pools.budget.promised.memoryBytes;
    const lease = await acquire({ ownContainer: true });
    expect(lease).toMatchObject({
      servedBy: 'one_shot',
      poolId: '',
      missReason: 'own_container',
      hit: false,
    });
    expect(pools.budget.promised.memoryBytes).toBe(before + 1);
    expect(pools.budget.oneShots).toBe(1);
    expect(pools.knows(lease.sandbox.id)).toBe(true);
    lease.release();
    await settle();
    expect(pools.budget).toMatchObject({ oneShots: 0, promised: { memoryBytes: before } });
    expect(pools.knows(lease.sandbox.id)).toBe(false);
  });

  it('waits for the budget with a container of its own, too, and leaves no hole when it gives up', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }), {
      settings: { ...SETTINGS, min: 0, initial: 0 },
      budget: { memoryBytes: 1, cpuMillis: 1e9 },
    });
    const first = await acquire({ ownContainer: true });
    const cancelled = new AbortController();
    const progress: AcquireProgress[] = [];
    const gone = pools.acquire(
      { ...REQUEST, ownContainer: true },
      { signal: cancelled.signal, onProgress: (p) => progress.push(p) },
    );
    const next = acquire({ ownContainer: true });
    await settle();
    expect(progress).toMatchObject([{ phase: 'waiting_for_sandbox' }]);
    cancelled.abort();
    await expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    first.release();
    expect((await next).servedBy).toBe('one_shot');
  });

  it('goes to a one-shot container while the pool cannot create, and says why', async () => {
    let fails = 2;
    const factory = new FakeFactory({
      auto: true,
      failWith: () => (fails-- > 0 ? new BerthError('SANDBOX_CREATE_FAILED', 'Docker is slow') : undefined),
    });
    const { pools, acquire } = await manager(factory);
    expect(pools.get('').state).toBe('degraded');
    expect(await acquire()).toMatchObject({
      servedBy: 'one_shot',
      missReason: 'create_failed',
      servedReason: 'Docker is slow',
    });
    expect(pools.get('').counters.misses.create_failed).toBe(1);
    // That one could be made ended the pool's back-off.
    await settle();
    expect(await acquire({ tenant: 'b' })).toMatchObject({ servedBy: 'pool' });
  });

  it('tries the one-shot once, and then says what went wrong', async () => {
    let tried = 0;
    const factory = new FakeFactory({
      auto: true,
      failWith: () => new BerthError('SANDBOX_CREATE_FAILED', `refused ${++tried}`),
    });
    const { pools, acquire } = await manager(factory);
    const before = tried;
    await expect(acquire()).rejects.toMatchObject({ reason: 'SANDBOX_CREATE_FAILED' });
    expect(tried).toBe(before + 1);
    expect(pools.problem).toContain('refused');
  });

  it('honours what a request forbids', async () => {
    const factory = new FakeFactory({
      auto: true,
      failWith: () => new BerthError('SANDBOX_CREATE_FAILED', 'no'),
    });
    const { acquire } = await manager(factory);
    const attempts = factory.made.length;
    await expect(acquire({ degrade: { forbidOneShot: true, forbidLocal: false } })).rejects.toMatchObject({
      reason: 'SANDBOX_CREATE_FAILED',
    });
    expect(factory.made).toHaveLength(attempts);
  });

  it('goes to the local engine when Docker is away, unless that is forbidden or there is none', async () => {
    const away = { engine: engine('docker', () => AWAY) };
    const locals = new FakeFactory({ auto: true });
    let problem = '';
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }), {
      ...away,
      local: { engine: engine('local'), factory: locals, problem: () => problem },
    });
    expect(await acquire()).toMatchObject({
      servedBy: 'local',
      missReason: 'engine_unavailable',
      servedReason: 'Docker does not answer',
    });
    expect(pools.problem).toBe('');
    expect(pools.hasLocal).toBe(true);
    await expect(acquire({ degrade: { forbidOneShot: false, forbidLocal: true } })).rejects.toBe(AWAY);
    await expect(acquire({ isolation: 'gvisor' })).rejects.toBe(AWAY);
    problem = 'bubblewrap is not installed';
    await expect(acquire()).rejects.toMatchObject({ message: expect.stringContaining(problem) });
    expect(pools.problem).not.toBe('');
    const { acquire: without } = await manager(new FakeFactory({ auto: true }), away);
    await expect(without()).rejects.toMatchObject({
      reason: 'DOCKER_UNAVAILABLE',
      message: expect.stringContaining('local engine'),
    });
  });

  it('serves everything by one-shot containers when pools are switched off', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }), { pooling: false });
    expect(pools.pools()).toHaveLength(0);
    expect(await acquire()).toMatchObject({ servedBy: 'one_shot', missReason: 'disabled' });
  });

  it('takes from the pool that a request names, when it fits', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }));
    const { id } = pools.get('');
    expect(await acquire({ poolId: id })).toMatchObject({ poolId: id });
    expect(await acquire({ poolId: id, language: '' })).toMatchObject({ poolId: id });
    await expect(acquire({ poolId: 'pool-none' })).rejects.toMatchObject({ reason: 'POOL_NOT_FOUND' });
    await expect(acquire({ poolId: id, isolation: 'gvisor', image: 'other:1' })).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      violations: [{ field: 'image' }, { field: 'isolation' }],
    });
  });

  it('makes the first pool of a spec with the preset that the request names', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }));
    const lease = await acquire({ limits: { ...REQUEST.limits, processes: 64 }, poolPreset: 'small' });
    expect(lease.missReason).toBe('new_pool');
    expect(pools.get(lease.poolId).settings).toMatchObject({ min: 1, initial: 1, max: 3 });
  });

  it('serves by a one-shot while a pool is drained; removing it lets a new one be made', async () => {
    const { pools, acquire } = await manager(new FakeFactory({ auto: true }));
    const pool = pools.get('');
    await pools.drain(pool, 1_000, false);
    expect(await acquire()).toMatchObject({ servedBy: 'one_shot', missReason: 'draining' });
    await pools.drain(pool, 1_000, true);
    expect(await acquire()).toMatchObject({ servedBy: 'pool', missReason: 'new_pool' });
  });
});
