import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import { deferred } from '../../../src/lib/deferred.js';
import { Death } from '../../support/env/dying-store.js';
import { EnvHarness } from '../../support/env/env-harness.js';

/** More than a test may take: what waits for it to end fails. */
const FOR_EVER_MS = 600_000;

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open({ readyTimeoutMs: FOR_EVER_MS });
});
afterEach(async () => {
  await world.close();
});

const ref = (envId: string) => ({ tenant: 'default', envId, requestId: '' });
const get = (envId: string) => world.operations.get('default', envId);

/** From its next start on the app is silent, or answers. */
function app(envId: string, does: 'silent' | 'serve'): void {
  world.engine.container(envId)!.definition.environment['FAKE'] = does;
}

/** A daemon that can be killed. */
function mortal(): Death {
  const death = new Death(Number.POSITIVE_INFINITY, 'before');
  world.restart(death.over(world.store));
  return death;
}

describe('a start that was cut off', () => {
  it('by a shutdown is no stop: what berthd had started by itself is started by its next life', async () => {
    const { env } = await world.deploy();
    await world.engine.close();
    app(env.id, 'silent');
    const death = mortal();
    await world.operations.settle();
    expect(await get(env.id)).toMatchObject({ state: 'starting' });
    await world.operations.close(10);
    death.dead = true;
    app(env.id, 'serve');
    await world.engine.close();
    world.restart();
    await world.operations.recover();
    expect(await get(env.id)).toMatchObject({ state: 'running' });
  });

  it('and is being finished is cancelled by a destroy', async () => {
    const { env } = await world.deploy();
    await world.stop(env.id);
    app(env.id, 'silent');
    const death = mortal();
    await world.operations.start(ref(env.id));
    death.dead = true;
    world.engine.disconnect();
    world.restart();
    const recovered = world.operations.recover();
    const events = world.operations.watch({ ...ref(env.id), afterSeq: 0 }, AbortSignal.timeout(10_000));
    for await (const { body } of events) if (body.type === 'operation_started' && body.recovered) break;
    expect((await world.destroy(env.id)).env.state).toBe('destroyed');
    await recovered;
    expect(world.bodies(env.id)).toContainEqual(
      expect.objectContaining({ type: 'cancelled', kind: 'start' }),
    );
    await world.expectNothingLeft();
  });
});

it('leaves alone what a berthd on another host is carrying out in the same database', async () => {
  const gate = deferred();
  world.engine.before = (method) => (method === 'createContainers' ? gate.promise : undefined);
  const handle = await world.operations.deploy(world.request());
  const there = await EnvHarness.open({ host: 'there' });
  Object.assign(there, { store: world.store, ports: world.ports, leases: world.leases });
  there.restart();
  expect(await there.operations.recover()).toEqual({ ended: [], incomplete: [] });
  gate.resolve();
  expect((await world.finish(handle)).env.state).toBe('running');
  await there.close();
});

it('finishes what another name of this host has begun, where the store is this host’s alone', async () => {
  const gate = deferred();
  world.engine.before = (method) => (method === 'createContainers' ? gate.promise : undefined);
  const death = mortal();
  const { env } = await world.operations.deploy(world.request());
  death.dead = true;
  gate.resolve();
  world.config = { ...world.config, host: 'renamed', otherHosts: false };
  world.restart();
  const { ended } = await world.operations.recover();
  expect(ended).toMatchObject([{ envId: env.id, state: 'failed' }]);
  await world.expectNothingLeft();
});

it('finishes a destroy that failed, also when an older undo has brought the env to rest before', async () => {
  const { env } = await world.deploy();
  await world.stop(env.id);
  world.engine.before = (method) => {
    if (method === 'startService') throw new BerthError('CONTAINER_START_FAILED', 'it does not start');
    if (method === 'stop' || method === 'down') throw new BerthError('CONTAINER_STOP_FAILED', 'busy');
  };
  expect((await world.start(env.id)).env.state).toBe('broken');
  expect((await world.destroy(env.id)).last.type).toBe('failed');
  world.engine.before = () => {};
  await world.operations.mend();
  expect(await get(env.id)).toMatchObject({ state: 'destroyed' });
  await world.expectNothingLeft();
});

it('takes an undo for done whose commit was answered by an error', async () => {
  const { commit } = world.store;
  let lost = false;
  world.store.commit = async (change) => {
    const events = await commit.call(world.store, change);
    if (lost || !change.events?.some(({ body }) => body.type === 'undo_completed')) return events;
    lost = true;
    throw new BerthError('STORE_UNAVAILABLE', 'the connection broke while committing');
  };
  const handle = await world.operations.deploy(world.request({ environment: { FAKE: 'exit' } }));
  const cutOff = deferred();
  world.operations.onCutOff(() => cutOff.resolve());
  await cutOff.promise;
  await world.operations.recover();
  const { env, events } = await world.finish(handle);
  expect(env.state).toBe('failed');
  expect(events.map(({ body }) => body.type)).not.toContain('undo_failed');
  await world.expectNothingLeft();
});

it('a berthd that stops does not wait for an operation that its own look at an env would have to wait for', async () => {
  await world.close();
  world = await EnvHarness.open({ sweepIntervalMs: 10, readyTimeoutMs: FOR_EVER_MS });
  const { env } = await world.deploy();
  world.engine.before = (method) => void (method === 'startService' && app(env.id, 'silent'));
  const looked = deferred();
  world.engine.diskBytes = async () => {
    await world.operations.reset(ref(env.id));
    // The next to ask for the row is who wants to stop the env for what was measured.
    const { get: read } = world.store;
    world.store.get = async (tenant, envId) => {
      looked.resolve();
      return await read.call(world.store, tenant, envId);
    };
    return 2 * 1024 ** 3;
  };
  await world.operations.live();
  await looked.promise;
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  await world.operations.close(10);
  expect(world.bodies(env.id).at(-1)).toMatchObject({ type: 'cancelled', kind: 'reset' });
});
