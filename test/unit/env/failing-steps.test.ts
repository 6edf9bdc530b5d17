import { createServer } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import { deferred } from '../../../src/lib/deferred.js';
import { isTerminal } from '../../../src/domain/env/model.js';
import { EnvHarness, named } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const VOLUMES = { runtimeType: 'node', volumes: [{ containerPath: '/data' }] };

function failAt(method: string, error: Error): void {
  world.engine.before = (called) => {
    if (called === method) throw error;
  };
}

describe('a deployment that fails', () => {
  const refused = new BerthError('CONTAINER_START_FAILED', 'Docker says no');
  it.each([
    ['requireImage', 'check_image', []],
    [
      'createNetworksAndVolumes',
      'create_networks',
      ['create_networks', 'copy_app', 'create_directory', 'claim_port'],
    ],
    [
      'createContainers',
      'create_containers',
      ['create_containers', 'create_networks', 'copy_app', 'create_directory', 'claim_port'],
    ],
    [
      'startService',
      'start_containers',
      ['create_containers', 'create_networks', 'copy_app', 'create_directory', 'claim_port'],
    ],
  ])('in Docker at %s names the step %s and undoes in reverse', async (method, step, undone) => {
    failAt(method, refused);
    const { events, last, env } = await world.deploy({ metadata: VOLUMES });
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'CONTAINER_START_FAILED', message: 'Docker says no', step, undoErrors: [] },
    });
    expect(named(events, 'step_failed')).toEqual([step]);
    expect(named(events, 'undo_started')).toEqual(undone);
    expect(named(events, 'undo_completed')).toEqual(undone);
    expect(events.filter((event) => isTerminal(event.body))).toEqual([events.at(-1)]);
    expect(env).toMatchObject({
      state: 'failed',
      port: null,
      containerIds: [],
      stateReason: 'Docker says no',
    });
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('says what each undo removed', async () => {
    const { events } = await world.deploy({ metadata: VOLUMES, environment: { FAKE: 'exit' } });
    const removed = events.flatMap(({ body }) =>
      body.type === 'undo_completed' ? body.removed.map((thing) => thing.kind) : [],
    );
    expect(removed).toEqual(['container', 'network', 'volume', 'directory', 'directory', 'port']);
  });

  it('gives the last log lines of an app that exits at once, long before the time-out', async () => {
    const startedAt = performance.now();
    const { last, events } = await world.deploy({ environment: { FAKE: 'exit' }, readyTimeoutMs: 60_000 });
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'APP_EXITED', message: expect.stringContaining('exited with code 3') },
    });
    if (last.type === 'failed') expect(last.error.logTail[0]).toBe('hello from the app');
    const failed = events.find((event) => event.body.type === 'step_failed');
    expect(failed?.body).toMatchObject({ logTail: [expect.stringContaining('hello'), expect.any(String)] });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await world.expectNothingLeft();
  });

  it.each([
    ['silent', 'got no answer'],
    ['error500', 'HTTP 500'],
  ])('after its time, when the app is %s', async (behaviour, says) => {
    const { last } = await world.deploy({ environment: { FAKE: behaviour }, readyTimeoutMs: 300 });
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'APP_NOT_READY', step: 'wait_ready', message: expect.stringContaining(says) },
    });
    await world.expectNothingLeft();
  });

  it('when the app dies between its answer and the look at it', async () => {
    const { last } = await world.deploy({ environment: { FAKE: 'crash_later' } });
    expect(last).toMatchObject({ type: 'failed', error: { reason: 'APP_EXITED', step: 'verify' } });
    await world.expectNothingLeft();
  });

  it('when its directory holds what is not of Berth, which stays', async () => {
    const directory = join(world.config.basePath, 'default/alice/default/hello');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'thesis.txt'), 'mine');
    const { last } = await world.deploy();
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'ENV_DIRECTORY', step: 'create_directory' },
    });
    const { readFile } = await import('node:fs/promises');
    expect(await readFile(join(directory, 'thesis.txt'), 'utf8')).toBe('mine');
    expect(world.ports.rows.size).toBe(0);
  });
});

describe('ports', () => {
  it('that another process holds are skipped', async () => {
    const thief = createServer();
    await new Promise<void>((resolve) => thief.listen(world.config.portFirst, '127.0.0.1', resolve));
    const { env } = await world.deploy();
    expect(env.port).toBe(world.config.portFirst + 1);
    thief.close();
  });

  it('that Docker finds taken are replaced by the next, within the same operation', async () => {
    const { portFirst } = world.config;
    world.engine.stolenPorts.add(portFirst).add(portFirst + 1);
    const { env, last, events } = await world.deploy({ metadata: VOLUMES });
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(env.port).toBe(portFirst + 2);
    expect(named(events, 'step_failed')).toEqual(['start_containers', 'start_containers']);
    expect(named(events, 'step_completed').filter((step) => step === 'claim_port').length).toBe(3);
    expect([...world.ports.rows.keys()]).toEqual([portFirst + 2]);
    // What was cured is no failure of the env.
    expect((await world.operations.present(env)).lastFailure).toBeUndefined();
    await world.expectConsistent();
  });

  it('are tried a bounded number of times', async () => {
    for (let n = 0; n < 10; n++) world.engine.stolenPorts.add(world.config.portFirst + n);
    const { last, events } = await world.deploy();
    expect(last).toMatchObject({ type: 'failed', error: { reason: 'PORT_TAKEN' } });
    expect(named(events, 'step_failed').length).toBe(3);
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('may run out: said with what and when to try again', async () => {
    for (let port = world.config.portFirst; port <= world.config.portLast; port++) {
      world.ports.rows.set(port, { port, envId: 'env-000000000000', allocatedAt: 0 });
    }
    await expect(world.deploy()).rejects.toMatchObject({ reason: 'ENV_CAPACITY', retryAfterMs: 30_000 });
    expect(world.ports.rows.size).toBe(100);
  });
});

describe('an undo that fails', () => {
  it('never hides the first cause, is joined to it, and is done by the next recovery', async () => {
    let docker = 'up';
    world.engine.before = (method) => {
      if (method === 'startService') docker = 'down';
      if (docker === 'down') throw new BerthError('DOCKER_UNAVAILABLE', `no Docker for ${method}`);
    };
    const { last, env, events } = await world.deploy({ metadata: VOLUMES });
    expect(last).toMatchObject({
      type: 'failed',
      error: {
        reason: 'DOCKER_UNAVAILABLE',
        message: 'no Docker for startService',
        step: 'start_containers',
      },
    });
    if (last.type === 'failed') {
      expect(last.error.undoErrors).toEqual([
        'create_containers: no Docker for remove',
        'create_networks: no Docker for remove',
      ]);
    }
    expect(named(events, 'undo_failed')).toEqual(['create_containers', 'create_networks']);
    expect(named(events, 'undo_completed')).toEqual(['copy_app', 'create_directory', 'claim_port']);
    expect(env.state).toBe('broken');
    const explained = await world.operations.explain(env, AbortSignal.timeout(1_000));
    expect(explained.pendingUndos).toMatchObject([
      {
        step: 'create_networks',
        message: 'no Docker for remove',
        left: [{ kind: 'network' }, { kind: 'volume' }],
      },
      { step: 'create_containers', message: 'no Docker for remove', left: [{ kind: 'container' }] },
    ]);
    expect(explained.blockers.map(({ reason }) => reason)).toContain('UNDO_INCOMPLETE');
    const told = world.bodies(env.id).length;
    await world.operations.recover();
    // Tried again in vain, in the same way: that is no news.
    expect(world.bodies(env.id).slice(told)).toEqual([]);

    docker = 'up again';
    world.engine.before = () => {};
    expect((await world.operations.recover()).ended, 'before its time').toEqual([]);
    world.clock.offsetMs += 2 * world.config.reconcileIntervalMs;
    const report = await world.operations.recover();
    expect(report.ended).toMatchObject([{ envId: env.id, state: 'failed' }]);
    expect((await world.operations.get('default', env.id)).state).toBe('failed');
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('that hangs is given up after its time, and the others are done', async () => {
    await world.close();
    world = await EnvHarness.open({ undoTimeoutMs: 100 });
    let hang = true;
    world.engine.before = (method) => {
      if (method === 'remove' && hang) return new Promise(() => {});
    };
    const { last, env } = await world.deploy({ environment: { FAKE: 'exit' } });
    if (last.type !== 'failed') throw new Error('it should have failed');
    expect(last.error.reason).toBe('APP_EXITED');
    expect(last.error.undoErrors[0]).toContain('too long');
    hang = false;
    // A destroy needs no recovery first: it removes all there is.
    expect((await world.destroy(env.id)).last).toMatchObject({ type: 'succeeded' });
    await world.operations.recover();
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('of a destroy is done by recovery within the same operation, at growing intervals, and told once', async () => {
    const interval = world.config.reconcileIntervalMs;
    const { env } = await world.deploy();
    failAt('down', new BerthError('CONTAINER_STOP_FAILED', 'device busy'));
    const failed = await world.destroy(env.id);
    expect(failed.last).toMatchObject({ type: 'failed', error: { step: 'remove_containers' } });
    expect(failed.env).toMatchObject({ state: 'broken', stateReason: 'device busy' });
    const told = world.bodies(env.id).length;
    const operations = world.store.operations.size;

    let removals = 0;
    world.engine.before = (method) => {
      if (method !== 'down') return;
      removals++;
      throw new BerthError('CONTAINER_STOP_FAILED', 'device still busy');
    };
    const retryAfter = async () => {
      const { pendingUndos } = await world.operations.explain(failed.env, AbortSignal.timeout(1_000));
      expect(pendingUndos).toMatchObject([{ message: 'remove_containers: device still busy' }]);
      return Math.round((pendingUndos[0]!.retryAt - world.clock.now()) / interval);
    };
    const waits: number[] = [];
    for (let round = 0; round < 15; round++) {
      const before = removals;
      await world.operations.recover();
      if (removals > before) waits.push(await retryAfter());
      world.clock.offsetMs += interval;
    }
    expect(waits).toEqual([2, 4, 8, 16]);
    expect(world.bodies(env.id).slice(told)).toEqual([]);
    expect(world.store.operations.size).toBe(operations);

    world.engine.before = () => {};
    world.clock.offsetMs += 16 * interval;
    await world.operations.recover();
    expect(await world.operations.get('default', env.id)).toMatchObject({
      state: 'destroyed',
      stateReason: 'DestroyEnv removed it',
    });
    expect(world.bodies(env.id).slice(told)).toMatchObject([
      { type: 'state_changed', from: 'broken', state: 'destroyed' },
    ]);
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('is waited for by a destroy that comes while it is tried again, and the destroy has its own end', async () => {
    const { env } = await world.deploy();
    failAt('down', new BerthError('CONTAINER_STOP_FAILED', 'device busy'));
    const failed = await world.destroy(env.id);
    const begun = deferred();
    const goOn = deferred();
    world.engine.before = async (method) => {
      if (method !== 'down') return;
      begun.resolve();
      await goOn.promise;
    };
    const recovered = world.operations.recover();
    await begun.promise;
    const destroyed = world.destroy(env.id);
    goOn.resolve();
    await recovered;
    const { last, events } = await destroyed;
    expect(last).toMatchObject({ type: 'succeeded', outcome: 'unchanged' });
    expect(events[0]?.operationId).not.toBe(failed.events[0]?.operationId);
    await world.expectNothingLeft();
    await world.expectConsistent();
  });
});

describe('reconcile', () => {
  it('finds strays, touches them only when it is no dry run, and marks what lost its containers', async () => {
    const lost = await world.deploy({ appId: 'lost' });
    const gone = await world.deploy({ appId: 'gone' });
    const kept = await world.deploy({ appId: 'kept' });
    world.store.envs.get(gone.env.id)!.state = 'destroyed';
    await world.engine.remove(lost.env.id, { volumes: false });

    const found = await world.operations.reconcile({ dryRun: true });
    expect(found.things.map((thing) => thing.envId)).toEqual([gone.env.id, gone.env.id]);
    expect(found.ports).toEqual([{ port: gone.env.port, envId: gone.env.id }]);
    expect(found.directories).toEqual([{ envId: gone.env.id, directory: gone.env.directory }]);
    expect(found.incomplete).toMatchObject([{ envId: lost.env.id }]);
    expect(world.engine.container(gone.env.id)).toBeDefined();

    const repaired = await world.operations.reconcile({ dryRun: false });
    expect(repaired.errors).toEqual([]);
    expect(world.store.envs.get(lost.env.id)?.state).toBe('broken');
    expect(world.store.envs.get(kept.env.id)?.state).toBe('running');
    const empty = { things: [], ports: [], directories: [], databases: [], incomplete: [], errors: [] };
    expect(await world.operations.reconcile({ dryRun: true })).toEqual(empty);
    expect(world.engine.container(kept.env.id)?.state).toBe('running');
  });
});
