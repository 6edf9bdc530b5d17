import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../../src/domain/errors.js';
import { EnvHarness, named, NODE_FILES } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

describe('deploy', () => {
  it('goes through its steps, answers at its URL, and tells of each step', async () => {
    const { events, last, env } = await world.deploy();
    expect(last).toMatchObject({ type: 'succeeded', outcome: 'deployed', state: 'running' });
    const steps = named(events, 'step_completed');
    expect(steps).toEqual([
      'check_image',
      'claim_port',
      'create_directory',
      'copy_app',
      'render_compose',
      'create_networks',
      'create_containers',
      'start_containers',
      'wait_ready',
      'verify',
      'mark_running',
    ]);
    expect(named(events, 'step_started')).toEqual(steps);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect(env.url).toBe(`http://localhost:${world.config.portFirst}`);
    expect((await fetch(env.url.replace('localhost', '127.0.0.1'))).status).toBe(200);
    expect(await readFile(join(env.directory, 'app/server.js'), 'utf8')).toBe('// a web app');
    await world.expectConsistent();
  });

  it('returns a running env of the same content as it is', async () => {
    const first = await world.deploy();
    world.engine.calls.length = 0;
    const second = await world.deploy();
    expect(second.last).toMatchObject({ outcome: 'already_running' });
    expect(second.env.id).toBe(first.env.id);
    expect(world.engine.calls).toEqual(['inspect']);
    await world.expectConsistent();
  });

  it('starts a stopped one of the same content, with its containers', async () => {
    const first = await world.deploy();
    await world.stop(first.env.id);
    const second = await world.deploy();
    expect(second.last).toMatchObject({ outcome: 'started', state: 'running' });
    expect(second.env.containerIds).toEqual(first.env.containerIds);
    await world.expectConsistent();
  });

  it('replaces one of other content under the same id and port', async () => {
    const first = await world.deploy();
    const files = [...NODE_FILES, { path: 'more.txt', content: Buffer.from('x'), mode: 0 }];
    const second = await world.deploy({ files });
    expect(second.last).toMatchObject({ outcome: 'replaced' });
    expect(second.env).toMatchObject({ id: first.env.id, port: first.env.port, url: first.env.url });
    expect(second.env.containerIds).not.toEqual(first.env.containerIds);
    expect(second.env.appDigest).not.toBe(first.env.appDigest);
    await world.expectConsistent();
  });

  it('replaces a running env whose container is gone', async () => {
    const first = await world.deploy();
    await world.engine.close();
    world.engine.projects.get(first.env.id)?.containers.clear();
    const second = await world.deploy();
    expect(second.last).toMatchObject({ outcome: 'replaced' });
    await world.expectConsistent();
  });

  it('replaces a stopped env whose port somebody else took, with another port', async () => {
    const first = await world.deploy();
    await world.stop(first.env.id);
    const { createServer } = await import('node:net');
    const thief = createServer();
    await new Promise<void>((resolve) => thief.listen(first.env.port ?? 0, '127.0.0.1', resolve));
    const second = await world.deploy();
    thief.close();
    expect(second.last).toMatchObject({ outcome: 'replaced' });
    expect(second.env.port).not.toBe(first.env.port);
    await world.expectConsistent();
  });

  it('replaces the same content when forced', async () => {
    await world.deploy();
    expect((await world.deploy({ force: true })).last).toMatchObject({ outcome: 'replaced' });
    await world.expectConsistent();
  });

  it('keeps the data of a replaced env, and leaves a broken env with it when the replacement fails', async () => {
    const metadata = { runtimeType: 'node', volumes: [{ containerPath: '/data', name: 'data' }] };
    const first = await world.deploy({ metadata });
    const volume = `${first.env.id}_data`;
    const failed = await world.deploy({ metadata, environment: { FAKE: 'exit' } });
    expect(failed.last).toMatchObject({ type: 'failed', error: { reason: 'APP_EXITED' } });
    expect(failed.env).toMatchObject({ id: first.env.id, state: 'broken', port: null, containerIds: [] });
    expect(world.engine.owned()).toEqual([{ kind: 'volume', name: volume, id: volume, envId: first.env.id }]);
    const again = await world.deploy({ metadata });
    expect(again.last).toMatchObject({ outcome: 'replaced' });
    expect(world.engine.owned().map((thing) => thing.name)).toContain(volume);
    await world.expectConsistent();
    await world.destroy(first.env.id);
    await world.expectNothingLeft();
  });

  it('leaves a running env alone when the image of its replacement is missing', async () => {
    const first = await world.deploy();
    const failed = await world.deploy({ metadata: { runtimeType: 'node', baseImage: 'nowhere:1' } });
    expect(failed.last).toMatchObject({
      type: 'failed',
      error: { reason: 'IMAGE_NOT_FOUND', step: 'check_image' },
    });
    expect(failed.env).toMatchObject({ state: 'running', containerIds: first.env.containerIds });
    expect(failed.env.appDigest).toBe(first.env.appDigest);
    await world.expectConsistent();
  });

  it('is a CLI without containerPort: a terminal, no published port, no wait', async () => {
    const files = [
      { path: 'metadata.json', content: Buffer.from('{"runtimeType":"python"}'), mode: 0 },
      { path: 'main.py', content: Buffer.from('input()'), mode: 0 },
    ];
    const { env, last } = await world.deploy({ files });
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(env.url).toBe('');
    expect(world.engine.container(env.id)?.definition).toMatchObject({
      tty: true,
      stdinOpen: true,
      ports: [],
    });
    await world.expectConsistent();
  });

  it('makes one env of twenty deployments at once, and all of them see the same events', async () => {
    const handles = await Promise.all(
      Array.from({ length: 20 }, () => world.operations.deploy(world.request())),
    );
    expect(new Set(handles.map((handle) => handle.operationId)).size).toBe(1);
    const all = await Promise.all(handles.map((handle) => world.finish(handle)));
    for (const one of all) expect(one.events).toEqual(all[0]?.events);
    expect(world.store.envs.size).toBe(1);
    await world.expectConsistent();
  });

  it('gives twenty apps at once twenty ports, ten deployments at a time', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => world.deploy({ appId: `app-${n}` })));
    expect(new Set(all.map((one) => one.env.port)).size).toBe(20);
    const waits = all
      .map((one) => one.events.flatMap(({ body }) => (body.type === 'queued' ? [body.position] : [])))
      .filter((positions) => positions.length > 0);
    expect(waits.map(([first]) => first).sort((a = 0, b = 0) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    for (const positions of waits) {
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => b - a));
      expect(positions.at(-1)).toBe(1);
    }
    await world.expectConsistent();
    await Promise.all(all.map((one) => world.destroy(one.env.id)));
    await world.expectNothingLeft();
    await world.expectConsistent();
  });
});

describe('request_id', () => {
  it('replays the first operation, also of two calls at once', async () => {
    const requests = [1, 2].map(() => world.operations.deploy(world.request({ requestId: 'r1' })));
    const [a, b] = await Promise.all(requests);
    const first = await world.finish(a!);
    expect(b?.operationId).toBe(a?.operationId);
    await world.stop(first.env.id);
    const replayed = await world.deploy({ requestId: 'r1' });
    expect(replayed.events).toEqual(first.events);
    expect(replayed.env.state).toBe('stopped');
  });

  it('is refused for another request', async () => {
    await world.deploy({ requestId: 'r1' });
    await expect(world.deploy({ requestId: 'r1', appId: 'other' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    const changed = [{ ...NODE_FILES[0]! }, { ...NODE_FILES[1]!, content: Buffer.from('// changed') }];
    await expect(world.deploy({ requestId: 'r1', files: changed })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });
});

describe('stop, start, destroy', () => {
  it('keeps containers and port over stop and start', async () => {
    const { env } = await world.deploy();
    const stopped = await world.stop(env.id);
    expect(stopped.last).toMatchObject({ type: 'succeeded', state: 'stopped', outcome: 'changed' });
    expect((await world.stop(env.id)).last).toMatchObject({ outcome: 'unchanged' });
    await world.expectConsistent();
    const started = await world.start(env.id);
    expect(started.last).toMatchObject({ type: 'succeeded', state: 'running' });
    expect(started.env).toMatchObject({ port: env.port, containerIds: env.containerIds, url: env.url });
    expect((await world.start(env.id)).last).toMatchObject({ outcome: 'unchanged' });
    await world.expectConsistent();
  });

  it('proposes a reset when the containers to start are gone, and changes nothing', async () => {
    const { env } = await world.deploy();
    await world.stop(env.id);
    world.engine.projects.get(env.id)?.containers.clear();
    const events = world.bodies(env.id).length;
    await expect(world.start(env.id)).rejects.toMatchObject({
      reason: 'ENV_CONTAINER_MISSING',
      message: expect.stringContaining('reset'),
    });
    expect(world.bodies(env.id).length).toBe(events);
    expect(world.store.envs.get(env.id)?.state).toBe('stopped');
  });

  it('starts a running env whose container ended by itself', async () => {
    const { env } = await world.deploy();
    await world.engine.close();
    expect(world.engine.container(env.id)?.state).toBe('exited');
    expect((await world.start(env.id)).last).toMatchObject({ outcome: 'changed', state: 'running' });
    await world.expectConsistent();
  });

  it('stops again what does not come up', async () => {
    const { env } = await world.deploy();
    await world.stop(env.id);
    world.engine.container(env.id)!.definition.environment['FAKE'] = 'exit';
    const started = await world.start(env.id);
    expect(started.last).toMatchObject({ type: 'failed', error: { reason: 'APP_EXITED' } });
    expect(started.env.state).toBe('stopped');
    expect(named(started.events, 'undo_completed')).toEqual(['start_containers']);
  });

  it('leaves an env running when it cannot be stopped', async () => {
    const { env } = await world.deploy();
    world.engine.before = (method) => {
      if (method === 'stop') throw new BerthError('CONTAINER_STOP_FAILED', 'it does not stop');
    };
    const stopped = await world.stop(env.id);
    expect(stopped.last).toMatchObject({ type: 'failed', error: { reason: 'CONTAINER_STOP_FAILED' } });
    expect(stopped.env).toMatchObject({ state: 'running', stateReason: 'it does not stop' });
    // A destroy does not need it to stop by itself, and says so.
    world.engine.notStopped.push('it does not stop');
    const { events, last } = await world.destroy(env.id);
    expect(last).toMatchObject({ type: 'succeeded' });
    expect(events.map((event) => event.body)).toContainEqual({
      type: 'warning',
      code: 'CONTAINER_STOP_FAILED',
      message: 'it does not stop',
    });
    await world.expectNothingLeft();
  });

  it('leaves nothing, and is idempotent', async () => {
    const { env } = await world.deploy();
    expect((await world.destroy(env.id)).env.state).toBe('destroyed');
    await world.expectNothingLeft();
    expect((await world.destroy(env.id)).last).toMatchObject({ outcome: 'unchanged', state: 'destroyed' });
    world.expectGoodLogs();
  });

  it('cancels a deployment by a destroy', async () => {
    const handle = await world.operations.deploy(world.request({ environment: { FAKE: 'silent' } }));
    for await (const event of world.operations.follow(handle, AbortSignal.timeout(5_000))) {
      if (event.body.type === 'step_started' && event.body.step === 'wait_ready') break;
    }
    const destroyed = await world.destroy(handle.env.id);
    expect(destroyed.last).toMatchObject({ type: 'succeeded', outcome: 'changed' });
    expect(destroyed.env.state).toBe('destroyed');
    const deployed = await world.finish(handle);
    expect(deployed.last).toMatchObject({
      type: 'cancelled',
      message: expect.stringContaining('DestroyEnv'),
    });
    const steps = named(deployed.events, 'step_completed');
    expect(deployed.last).toMatchObject({
      timings: [...steps, 'wait_ready'].map((step) => ({ step, elapsedMs: expect.any(Number) })),
    });
    expect((await world.operations.present(destroyed.env)).lastFailure).toBeUndefined();
    await world.expectNothingLeft();
    await world.expectConsistent();
  });

  it('is told of with its last failure, until one succeeds', async () => {
    const { env } = await world.deploy();
    const lastFailure = async () => (await world.operations.present(env)).lastFailure;
    expect(await lastFailure()).toBeUndefined();
    world.engine.before = (method) => {
      if (method === 'stop') throw new BerthError('CONTAINER_STOP_FAILED', 'Docker would not');
    };
    expect((await world.stop(env.id)).last).toMatchObject({ type: 'failed' });
    expect(await lastFailure()).toMatchObject({ error: { message: expect.stringContaining('would not') } });
    world.engine.before = () => {};
    expect((await world.deploy()).last).toMatchObject({ type: 'succeeded' });
    expect(await lastFailure()).toBeUndefined();
  });

  it('does opposite operations at once one after the other', async () => {
    const { env } = await world.deploy();
    const results = await Promise.allSettled([
      world.stop(env.id),
      world.start(env.id),
      world.stop(env.id),
      world.deploy(),
      world.start(env.id),
    ]);
    expect(results.map((result) => result.status)).toEqual(Array(5).fill('fulfilled'));
    await world.expectConsistent();
  });

  it.each(['failed', 'destroyed', 'broken'] as const)(
    'refuses stop and start of an env that is %s',
    async (state) => {
      const { env } = await world.deploy();
      if (state === 'destroyed') await world.destroy(env.id);
      else world.store.envs.get(env.id)!.state = state;
      for (const kind of ['stop', 'start'] as const) {
        await expect(world[kind](env.id)).rejects.toMatchObject({
          reason: 'ENV_STATE',
          message: expect.stringContaining(`it is ${state}`),
          metadata: { state },
        });
      }
    },
  );

  it("does not know another tenant's env", async () => {
    const { env } = await world.deploy();
    const other = { tenant: 'other', envId: env.id, requestId: '' };
    const { operations } = world;
    const expected = { reason: 'ENV_NOT_FOUND' };
    await expect(operations.stop(other)).rejects.toMatchObject(expected);
    await expect(operations.start(other)).rejects.toMatchObject(expected);
    await expect(operations.destroy(other)).rejects.toMatchObject(expected);
    await expect(operations.get('other', env.id)).rejects.toMatchObject(expected);
    const signal = AbortSignal.timeout(1_000);
    const watched = operations.watch({ tenant: 'other', envId: env.id, afterSeq: 0 }, signal);
    await expect(watched[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected);
    const request = { services: [], tail: undefined, after: '', since: undefined, until: undefined };
    const logs = operations.logs(
      { tenant: 'other', envId: env.id, follow: false, contains: '', stream: undefined, ...request },
      signal,
    );
    await expect(logs[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected);
    expect(world.store.envs.get(env.id)?.state).toBe('running');
    const theirs = await world.deploy({ tenant: 'other' });
    expect(theirs.env.id).not.toBe(env.id);
  });
});

describe('close', () => {
  it('takes nothing new, waits for what runs, and leaves envs running', async () => {
    const { env } = await world.deploy();
    const handle = await world.operations.deploy(world.request({ appId: 'second' }));
    await world.operations.close(10_000);
    expect(world.store.envs.get(handle.env.id)?.state).toBe('running');
    expect(world.store.envs.get(env.id)?.state).toBe('running');
    await expect(world.deploy({ appId: 'third' })).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
    await world.expectConsistent();
  });

  it('cancels and undoes what takes too long', async () => {
    const handle = await world.operations.deploy(world.request({ environment: { FAKE: 'silent' } }));
    await world.operations.close(50);
    const bodies = world.bodies(handle.env.id);
    expect(bodies.at(-1)).toMatchObject({ type: 'cancelled', message: expect.stringContaining('stopping') });
    expect(world.store.operations.get(handle.operationId)?.error?.reason).toBe('OPERATION_ABORTED');
    await world.expectNothingLeft();
    await world.expectConsistent();
  });
});
