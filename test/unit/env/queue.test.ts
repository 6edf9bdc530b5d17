import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { fakeDatabase } from '../../support/env/fake-database.js';
import { EnvHarness } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open({ maxConcurrentOperations: 1, maxQueuedOperations: 2 });
});
afterEach(async () => {
  await world.close();
});

/** Holds deployments up until it is called. */
function gate(): () => void {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  world.engine.before = (method) => (method === 'requireImage' ? opened : undefined);
  return open;
}

describe('the queue of deployments', () => {
  it('is in order, tells each its place as it changes, and shows them as waiting', async () => {
    const open = gate();
    const handles = [];
    for (const appId of ['a', 'b', 'c'])
      handles.push(await world.operations.deploy(world.request({ appId })));
    const [, second, third] = handles;
    expect((await world.operations.present(third!.env)).queued).toBe(true);
    expect((await world.operations.explain(third!.env, AbortSignal.timeout(1_000))).aliveBecause).toBe(
      'its deploy waits for a place',
    );
    open();
    const ends = await Promise.all(handles.map((handle) => world.finish(handle)));
    const positions = ends.map(({ events }) =>
      events.flatMap(({ body }) => (body.type === 'queued' ? [[body.position, body.running]] : [])),
    );
    expect(positions).toEqual([
      [],
      [[1, 1]],
      [
        [2, 1],
        [1, 1],
      ],
    ]);
    expect((await world.operations.present(second!.env)).queued).toBe(false);
  });

  it('lets none wait longer than it may: a typed failure, nothing done', async () => {
    const open = gate();
    const first = await world.operations.deploy(world.request({ appId: 'a' }));
    const { last, env } = await world.deploy({ appId: 'b', queueTimeoutMs: 20 });
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'QUEUE_TIMEOUT', retryAfterMs: 30_000, step: '' },
    });
    expect(env.state).toBe('failed');
    open();
    expect((await world.finish(first)).last.type).toBe('succeeded');
    await world.expectConsistent();
  });

  it('is bounded', async () => {
    const open = gate();
    const deploy = (appId: string) => world.operations.deploy(world.request({ appId }));
    const handles = [await deploy('a'), await deploy('b'), await deploy('c')];
    await expect(deploy('d')).rejects.toMatchObject({
      reason: 'QUEUE_FULL',
      retryAfterMs: 30_000,
      quota: [{ subject: 'waiting deployments' }],
    });
    open();
    await Promise.all(handles.map((handle) => world.finish(handle)));
  });
});

describe('preflight', () => {
  it('names everything that is short, before anything is touched', async () => {
    world.config = { ...world.config, portLast: world.config.portFirst, minFreeDiskBytes: 2048 };
    world.restart();
    await world.deploy();
    world.free.memory = 1024;
    world.free.disk = 1024;
    const error = await world.operations
      .deploy(world.request({ appId: 'other' }))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'ENV_CAPACITY', retryAfterMs: 30_000 });
    expect(error).toMatchObject({
      quota: [{ subject: 'env ports' }, { subject: 'memory' }, { subject: 'disk' }],
    });
    expect(world.store.envs.size).toBe(1);
    // An env that is there already needs no more.
    expect((await world.deploy()).last).toMatchObject({ outcome: 'already_running' });
  });

  it('ends envs whose time is over first', async () => {
    world.config = { ...world.config, portLast: world.config.portFirst };
    world.restart();
    const first = await world.deploy();
    world.clock.offsetMs += 3_700_000;
    const second = await world.deploy({ appId: 'other' });
    expect(second.last).toMatchObject({ type: 'succeeded', outcome: 'deployed' });
    expect((await world.operations.get('default', first.env.id)).state).toBe('destroyed');
    await world.expectConsistent();
  });

  it('asks the database provider, and knows a subnet range that is too small', async () => {
    const provider = fakeDatabase({
      shortage: async () => ({ subject: 'database connections', description: 'none is left' }),
    });
    world.databases = new DatabaseProviderRegistry([provider]);
    world.config = { ...world.config, subnets: '10.213.0.0/28' };
    world.restart();
    await world.deploy({ appId: 'first' });
    const metadata = { runtimeType: 'node', database: { provider: 'fake' } };
    await expect(world.operations.deploy(world.request({ metadata }))).rejects.toMatchObject({
      quota: [{ subject: 'env subnets' }, { subject: 'database connections' }],
    });
  });
});
