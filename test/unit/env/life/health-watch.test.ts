import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EnvEventBody } from '../../../../src/domain/env/model.js';
import { BerthError } from '../../../../src/domain/errors.js';
import { EnvHarness } from '../../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
  await world.operations.live();
});
afterEach(async () => {
  await world.close();
});

const CLI = { runtimeType: 'python', startCommand: 'cat' };
type Change = Partial<NonNullable<ReturnType<typeof world.engine.container>>>;

/** More than an operation of these tests takes: what happens here comes after it, as in Docker, where nothing takes no time. */
const LATER_MS = 1_000;

/** The container becomes something else, and Docker tells of it. */
function happens(envId: string, change: Change, event: Parameters<typeof world.engine.emit>[1]): void {
  Object.assign(world.engine.container(envId) ?? {}, change);
  world.engine.emit(envId, { ...event, time: Date.now() + LATER_MS });
}

/** Resolves with the first event of this type from now on, or of those there are. */
async function told<T extends EnvEventBody['type']>(envId: string, type: T, afterSeq = 0) {
  const env = { tenant: 'default', envId, afterSeq };
  for await (const { body, seq } of world.operations.watch(env, AbortSignal.timeout(10_000)))
    if (body.type === type) return { body: body as Extract<EnvEventBody, { type: T }>, seq };
  throw new Error(`nothing was told of ${type}`);
}

const seqOf = (envId: string): number => world.bodies(envId).length;

describe('the health of an env', () => {
  it('is healthy when it answered, and unhealthy when its check fails; the row says it as well', async () => {
    const { env } = await world.deploy();
    expect(env.health).toBe('healthy');
    const seq = seqOf(env.id);
    happens(
      env.id,
      { health: 'unhealthy' },
      { service: 'app', action: 'health_status', health: 'unhealthy' },
    );
    expect((await told(env.id, 'health_changed', seq)).body).toMatchObject({
      from: 'healthy',
      to: 'unhealthy',
      message: 'the health check of app failed as often as it may',
    });
    expect((await world.operations.get('default', env.id)).health).toBe('unhealthy');
    const explained = await world.operations.explain(
      await world.operations.get('default', env.id),
      AbortSignal.timeout(1_000),
    );
    expect(explained.blockers).toMatchObject([{ reason: 'APP_NOT_READY' }]);
    const next = seqOf(env.id);
    happens(env.id, { health: 'healthy' }, { service: 'app', action: 'health_status', health: 'healthy' });
    expect((await told(env.id, 'health_changed', next)).body).toMatchObject({ to: 'healthy' });
  });

  it('is looked at once more when the app ended behind the last look of its deployment', async () => {
    await world.operations.close(1_000);
    const { commit } = world.store;
    world.store.commit = async (change) => {
      const [event] = change.events ?? [];
      if (change.checkpoints?.some(({ step, state }) => step === 'mark_running' && state === 'intent'))
        happens(
          event!.envId,
          { state: 'exited', exitCode: 5 },
          { service: 'app', action: 'die', exitCode: 5 },
        );
      return await commit.call(world.store, change);
    };
    await world.restart().live();
    const { env, last } = await world.deploy();
    expect(last).toMatchObject({ type: 'succeeded' });
    expect((await told(env.id, 'warning')).body).toMatchObject({ code: 'DRIFT' });
    expect(await world.operations.get('default', env.id)).toMatchObject({ state: 'stopped' });
  });

  it('turns bad when the app ends; that Docker started it again is a warning', async () => {
    const { env } = await world.deploy();
    const seq = seqOf(env.id);
    world.engine.emit(env.id, { service: 'app', action: 'oom' });
    happens(env.id, { state: 'restarting', exitCode: 137 }, { service: 'app', action: 'die', exitCode: 137 });
    expect((await told(env.id, 'health_changed', seq)).body).toMatchObject({
      to: 'unhealthy',
      message: 'app was killed at its memory limit',
    });
    happens(env.id, { state: 'running', restartCount: 1 }, { service: 'app', action: 'start' });
    const codes = async () => {
      const first = await told(env.id, 'warning', seq);
      const second = await told(env.id, 'warning', first.seq);
      return [first.body.code, second.body.code];
    };
    expect(await codes()).toEqual(['MEMORY', 'RESTARTED']);
    expect((await world.operations.get('default', env.id)).state).toBe('running');
  });

  it('of an operation is left to the operation', async () => {
    const { env } = await world.deploy();
    await world.stop(env.id);
    await world.start(env.id);
    await world.reset(env.id);
    expect(world.bodies(env.id).filter((body) => body.type === 'warning')).toEqual([]);
  });
});

describe('containers that somebody else touches', () => {
  it('stopped, started, removed: the row follows and says so', async () => {
    const { env } = await world.deploy();
    let seq = seqOf(env.id);
    happens(env.id, { state: 'exited', exitCode: 143 }, { service: 'app', action: 'die', exitCode: 143 });
    const stopped = await told(env.id, 'state_changed', seq);
    expect(stopped.body).toMatchObject({
      state: 'stopped',
      reason: 'app exited with code 143: somebody else stopped it',
    });
    expect((await told(env.id, 'warning', stopped.seq)).body.code).toBe('DRIFT');
    seq = seqOf(env.id);
    happens(env.id, { state: 'running' }, { service: 'app', action: 'start' });
    expect((await told(env.id, 'state_changed', seq)).body.state).toBe('running');
    seq = seqOf(env.id);
    await world.engine.close();
    const containerId = world.engine.container(env.id)?.id ?? '';
    world.engine.projects.get(env.id)?.containers.clear();
    world.engine.emit(env.id, { service: 'app', action: 'destroy', ...{ containerId } });
    expect((await told(env.id, 'state_changed', seq)).body.state).toBe('broken');
  });

  it('one of them paused: the env is unwell, and nothing is stopped for it', async () => {
    const { env } = await world.deploy();
    const { containers } = world.engine.projects.get(env.id)!;
    containers.set('db', { ...containers.get('app')!, service: 'db', server: undefined, state: 'paused' });
    const seq = seqOf(env.id);
    happens(env.id, {}, { service: 'app', action: 'health_status', health: 'healthy' });
    expect((await told(env.id, 'health_changed', seq)).body).toMatchObject({
      to: 'unhealthy',
      message: 'db is paused',
    });
    expect(await world.operations.get('default', env.id)).toMatchObject({ state: 'running' });
  });

  it('one of them stopped: the others are stopped as well, by an operation that says why', async () => {
    const { env } = await world.deploy();
    const { containers } = world.engine.projects.get(env.id)!;
    containers.set('db', { ...containers.get('app')!, service: 'db', server: undefined });
    const seq = seqOf(env.id);
    happens(env.id, { state: 'exited', exitCode: 143 }, { service: 'app', action: 'die', exitCode: 143 });
    const reason = 'app exited with code 143: somebody else stopped it';
    expect((await told(env.id, 'warning', seq)).body).toMatchObject({ code: 'DRIFT', message: reason });
    expect((await told(env.id, 'succeeded', seq)).body).toMatchObject({ kind: 'stop', state: 'stopped' });
    expect(containers.get('db')?.state).toBe('exited');
    expect((await world.operations.get('default', env.id)).stateReason).toBe(reason);
  });

  it('one of them stopped, and another that cannot be: the env is broken, and nothing runs again by itself', async () => {
    const { env } = await world.deploy();
    const { containers } = world.engine.projects.get(env.id)!;
    containers.set('db', { ...containers.get('app')!, service: 'db', server: undefined });
    world.engine.before = (method) => {
      if (method === 'stop') throw new BerthError('CONTAINER_STOP_FAILED', 'db does not stop');
    };
    const seq = seqOf(env.id);
    happens(env.id, { state: 'exited', exitCode: 143 }, { service: 'app', action: 'die', exitCode: 143 });
    expect((await told(env.id, 'failed', seq)).body).toMatchObject({ kind: 'stop' });
    const states = world.operations.watch(
      { tenant: 'default', envId: env.id, afterSeq: seq },
      AbortSignal.timeout(10_000),
    );
    for await (const { body } of states) if (body.type === 'state_changed' && body.state === 'broken') break;
    expect(await world.operations.get('default', env.id)).toMatchObject({
      state: 'broken',
      stateReason: 'app exited with code 143, and its stop failed; reset it, or deploy its app anew',
    });
    world.engine.before = () => {};
    expect((await world.deploy({ force: true })).env).toMatchObject({ id: env.id, state: 'running' });
  });

  it('a command-line app that comes to its end has stopped, one that fails is broken', async () => {
    for (const [exitCode, state] of [
      [0, 'stopped'],
      [3, 'broken'],
    ] as const) {
      const { env } = await world.deploy({ appId: `cli-${exitCode}`, metadata: CLI });
      expect(env.health).toBe('none');
      const seq = seqOf(env.id);
      happens(env.id, { state: 'exited', exitCode }, { service: 'app', action: 'die', exitCode });
      expect((await told(env.id, 'state_changed', seq)).body.state).toBe(state);
    }
  });
});

describe('after berthd or Docker was away', () => {
  const away = (envId: string) =>
    Object.assign(world.engine.container(envId) ?? {}, { state: 'exited', exitCode: 137, server: undefined });

  it('what should run is started again, and what should not is said to have stopped', async () => {
    const back = await world.deploy({ appId: 'back' });
    const not = await world.deploy({ appId: 'not', restartPolicy: 'no' });
    const wanted = await world.deploy({ appId: 'stopped' });
    await world.stop(wanted.env.id);
    await world.engine.close();
    for (const { env } of [back, not]) away(env.id);
    const seq = seqOf(back.env.id);
    await world.operations.settle();
    expect((await told(back.env.id, 'succeeded', seq)).body).toMatchObject({
      kind: 'start',
      state: 'running',
    });
    const states = await Promise.all(
      [not, wanted].map(async ({ env }) => (await world.operations.get('default', env.id)).state),
    );
    expect(states).toEqual(['stopped', 'stopped']);
    expect((await world.operations.get('default', not.env.id)).stateReason).toContain('restart policy is NO');
  });
});
