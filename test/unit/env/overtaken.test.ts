import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { BerthError } from '../../../src/domain/errors.js';
import { deferred } from '../../../src/lib/deferred.js';
import { EnvHarness } from '../../support/env/env-harness.js';
import { fakeDatabase } from '../../support/env/fake-database.js';

// What berthd does by itself is for what it found: where somebody did something else meanwhile, that stands.

const HOUR = 3_600_000;
const TOO_MUCH = 2 * 1024 ** 3;
let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const ref = (envId: string) => ({ tenant: 'default', envId, requestId: '' });
const get = (envId: string) => world.operations.get('default', envId);
const kindsOf = (envId: string) =>
  world.bodies(envId).flatMap((body) => (body.type === 'operation_started' ? [body.kind] : []));

describe('an env whose time is over', () => {
  it('lives on when it was given more time right before its end', async () => {
    const { env } = await world.deploy();
    world.clock.offsetMs += HOUR + 1_000;
    const { commit } = world.store;
    let extended: Promise<unknown> | undefined;
    // It waits for the lock under which the end is decided.
    world.store.commit = async (change) => {
      if (change.events?.some(({ body }) => body.type === 'warning'))
        extended ??= world.operations.extend({ ...ref(env.id), ttlMs: 5 * HOUR });
      return await commit.call(world.store, change);
    };
    expect(await world.operations.sweep()).toEqual([]);
    expect(await extended).toMatchObject({ state: 'running' });
    expect(await get(env.id)).toMatchObject({ state: 'running' });
  });

  it.each([24, 5])('keeps the time that it was given while it was deployed anew: %i h', async (hours) => {
    const { env } = await world.deploy();
    // The shorter one is answered with what the env has already.
    if (hours < 24) await world.operations.extend({ ...ref(env.id), ttlMs: 24 * HOUR });
    world.clock.offsetMs += 60_000;
    let given: number | null | undefined;
    world.engine.before = async (method) => {
      if (method === 'createContainers')
        given ??= (await world.operations.extend({ ...ref(env.id), ttlMs: hours * HOUR })).expiresAt;
    };
    const again = await world.deploy({ force: true });
    expect(again.env).toMatchObject({ expiresAt: given, lastExtension: { kind: 'extended' } });
  });
});

it('an env that berthd has started again after a long absence is not idle at once', async () => {
  const { env } = await world.deploy({ ttlMs: 100 * HOUR });
  await world.engine.close();
  world.clock.offsetMs += 3 * HOUR;
  world.restart();
  await world.operations.settle();
  const events = world.operations.watch({ ...ref(env.id), afterSeq: 0 }, AbortSignal.timeout(10_000));
  for await (const { body } of events) if (body.type === 'succeeded' && body.kind === 'start') break;
  world.engine.counts.set(env.containerIds[0]!, { life: 'x', accepted: 1, open: 0 });
  expect(await world.operations.sweep()).toEqual([]);
  expect(await get(env.id)).toMatchObject({ state: 'running' });
});

it('settling does not start again what was stopped meanwhile', async () => {
  const first = await world.deploy({ appId: 'a' });
  const second = await world.deploy({ appId: 'b' });
  let stopped: Promise<unknown> | undefined;
  world.engine.before = async (method, project) => {
    if (method === 'inspect' && project === first.env.id) await (stopped ??= world.stop(second.env.id));
  };
  await world.operations.settle();
  expect(await get(second.env.id)).toMatchObject({ state: 'stopped' });
  expect(kindsOf(second.env.id)).toEqual(['deploy', 'stop']);
});

it('an env of which a part has ended is not stopped when its user has started it again', async () => {
  await world.operations.live();
  const { env } = await world.deploy({ restartPolicy: 'no' });
  const { containers } = world.engine.projects.get(env.id)!;
  containers.set('db', { ...containers.get('app')!, service: 'db', server: undefined });
  await world.engine.close();
  containers.get('db')!.state = 'running';
  const started = deferred<ReturnType<typeof world.start>>();
  world.engine.after = (method) => {
    if (method === 'inspect') started.resolve(world.start(env.id));
  };
  const later = Date.now() + 1_000;
  world.engine.emit(env.id, { service: 'app', action: 'die', exitCode: 1, time: later });
  expect((await started.promise).last).toMatchObject({ type: 'succeeded', kind: 'start' });
  await world.operations.close(5_000);
  world.restart();
  expect(await get(env.id)).toMatchObject({ state: 'running' });
  expect(kindsOf(env.id)).toEqual(['deploy', 'start']);
}, 20_000);

describe('an env that has too much on disk', () => {
  it('is not stopped when it was reset while it was measured', async () => {
    const { env } = await world.deploy();
    let reset: ReturnType<typeof world.finish> | undefined;
    world.engine.diskBytes = async () => {
      reset = world.finish(await world.operations.reset(ref(env.id)));
      return TOO_MUCH;
    };
    await world.operations.sweep();
    expect((await reset)?.last).toMatchObject({ type: 'succeeded' });
    expect(await get(env.id)).toMatchObject({ state: 'running' });
    expect(kindsOf(env.id)).toEqual(['deploy', 'reset']);
  });

  it('is not used by being stopped for it', async () => {
    const { env } = await world.deploy();
    world.engine.counts.set(env.containerIds[0]!, { life: 'x', accepted: 1, open: 0 });
    world.clock.offsetMs += 600_000;
    world.engine.written = TOO_MUCH;
    await world.operations.sweep();
    await world.operations.close(5_000);
    world.restart();
    expect(await get(env.id)).toMatchObject({ state: 'stopped', lastActivity: env.lastActivity });
  });
});

describe('reconcile', () => {
  it.each(['reset', 'deploy'] as const)(
    'does not miss containers that a %s has replaced since it looked',
    async (how) => {
      let during: () => Promise<unknown> = async () => {};
      world.databases = new DatabaseProviderRegistry([
        fakeDatabase({ listHeld: async () => (await during(), []) }),
      ]);
      world.restart();
      const { env } = await world.deploy();
      during = () => (how === 'reset' ? world.reset(env.id) : world.deploy({ force: true }));
      const report = await world.operations.reconcile({ dryRun: false });
      expect(report.incomplete).toEqual([]);
      expect(await get(env.id)).toMatchObject({ state: 'running' });
    },
  );
});

describe('an undo that failed', () => {
  const failing = { environment: { FAKE: 'error500' }, readyTimeoutMs: 50 };

  /** Whatever was left speaks up, as a slow app does, or one that Docker starts again. */
  async function becomesHealthy(envId: string): Promise<void> {
    Object.assign(world.engine.container(envId) ?? {}, { health: 'healthy' });
    const event = { service: 'app', action: 'health_status', health: 'healthy' } as const;
    world.engine.emit(envId, { ...event, time: Date.now() + 1_000 });
    await world.operations.close(5_000);
    await world.restart().live();
  }

  function refuseToRemove(): () => void {
    world.engine.before = (method) => {
      if (method === 'remove') throw new BerthError('CONTAINER_STOP_FAILED', 'device busy');
    };
    return () => (world.engine.before = () => {});
  }

  it('leaves a broken env, whatever its containers do', async () => {
    await world.operations.live();
    refuseToRemove();
    const { env } = await world.deploy(failing);
    expect(env.state).toBe('broken');
    await becomesHealthy(env.id);
    expect(await get(env.id)).toMatchObject({ state: 'broken' });
  });

  it('is not tried again over a later deployment', async () => {
    await world.operations.live();
    await world.deploy();
    const allow = refuseToRemove();
    const { env } = await world.deploy(failing);
    await becomesHealthy(env.id);
    allow();
    expect((await world.deploy()).env).toMatchObject({ id: env.id, state: 'running' });
    await world.operations.recover();
    expect(await get(env.id)).toMatchObject({ state: 'running' });
    await world.expectConsistent();
  });
});
