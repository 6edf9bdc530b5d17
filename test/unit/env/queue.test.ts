import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { deferred } from '../../../src/lib/deferred.js';
import { fakeDatabase } from '../../support/env/fake-database.js';
import { EnvHarness } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open({ maxConcurrentOperations: 1, maxQueuedOperations: 2 });
});
afterEach(async () => {
  await world.close();
});

/** All that can go on without a timer has gone on. */
async function untilIdle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Holds deployments up until it is called. */
function gate(): () => void {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  world.engine.before = (method) => (method === 'requireImage' ? opened : undefined);
  return open;
}

describe('the queue of deployments', () => {
  it('is as long as it may be, also when many come at once', async () => {
    const open = gate();
    const requests = Array.from({ length: 20 }, (_, index) => world.request({ appId: `a${index}` }));
    const asked = await Promise.allSettled(requests.map((request) => world.operations.deploy(request)));
    const taken = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(taken.length).toBe(3);
    expect(asked.find((one) => one.status === 'rejected')).toMatchObject({
      reason: { reason: 'QUEUE_FULL' },
    });
    open();
    for (const handle of taken) expect((await world.finish(handle)).last.type).toBe('succeeded');
    expect((await world.deploy({ appId: 'later' })).last.type).toBe('succeeded');
  });

  it('tells no place behind the end of what waited for it', async () => {
    const open = gate();
    const telling = deferred();
    const { commit } = world.store;
    world.store.commit = async (change) => {
      if (change.events?.some(({ body }) => body.type === 'queued')) await telling.promise;
      return await commit.call(world.store, change);
    };
    const first = await world.operations.deploy(world.request({ appId: 'a' }));
    const second = await world.operations.deploy(world.request({ appId: 'b' }));
    const destroyed = world.destroy(second.env.id);
    await untilIdle();
    telling.resolve();
    await destroyed;
    const own = (await world.finish(second)).events.map(({ body }) => body.type);
    expect(own.slice(-3)).toEqual(['queued', 'state_changed', 'cancelled']);
    open();
    await world.finish(first);
  });

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
