import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseProviderRegistry } from '../../../src/domain/database/provider.js';
import { fakeDatabase } from '../../support/env/fake-database.js';
import { EnvHarness, named } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const VOLUMES = { runtimeType: 'node', volumes: [{ containerPath: '/data', name: 'data' }] };
const request = (envId: string, requestId = '') => ({ tenant: 'default', envId, requestId });

describe('reset', () => {
  it('drops the volumes and makes the containers anew, under the same id, port and directory', async () => {
    const first = await world.deploy({ metadata: VOLUMES });
    const { env, last, events } = await world.reset(first.env.id);
    expect(last).toMatchObject({ type: 'succeeded', kind: 'reset', outcome: 'changed', state: 'running' });
    expect(last).toMatchObject({
      removed: [
        { kind: 'container', name: env.id },
        { kind: 'volume', name: `${env.id}_data` },
      ],
    });
    expect(env).toMatchObject({ id: first.env.id, port: first.env.port, url: first.env.url });
    expect(env.containerIds).not.toEqual(first.env.containerIds);
    expect(named(events, 'step_completed')).toEqual([
      'remove_containers',
      'create_networks',
      'create_containers',
      'start_containers',
      'wait_ready',
      'verify',
      'mark_running',
    ]);
    await world.expectConsistent();
  });

  it('runs a stopped env, and repairs one whose containers are gone', async () => {
    const { env } = await world.deploy();
    await world.stop(env.id);
    expect((await world.reset(env.id)).env.state).toBe('running');
    await world.engine.close();
    world.engine.projects.delete(env.id);
    await expect(world.start(env.id)).rejects.toMatchObject({ reason: 'ENV_CONTAINER_MISSING' });
    await world.operations.reconcile({ dryRun: false });
    expect((await world.operations.get('default', env.id)).state).toBe('broken');
    expect((await world.reset(env.id)).env.state).toBe('running');
    await world.expectConsistent();
  });

  it('answers a repeated request id with the events of the first', async () => {
    const { env } = await world.deploy();
    const first = await world.finish(await world.operations.reset(request(env.id, 'r-1')));
    const again = await world.finish(await world.operations.reset(request(env.id, 'r-1')));
    expect(again.events).toEqual(first.events);
    await expect(
      world.operations.reset({ ...request(env.id, 'r-1'), readyTimeoutMs: 1_000 }),
    ).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
  });

  it('leaves a broken env that another reset repairs, when the app does not come up', async () => {
    const { env } = await world.deploy();
    world.engine.before = (method) => {
      if (method === 'startService') throw new Error('no such luck');
    };
    const failed = await world.reset(env.id);
    expect(failed.last).toMatchObject({ type: 'failed', error: { step: 'start_containers' } });
    expect(failed.env).toMatchObject({ state: 'broken', port: env.port, containerIds: [] });
    world.engine.before = () => {};
    expect((await world.reset(env.id)).env.state).toBe('running');
    await world.expectConsistent();
  });

  it('gives the app the time that the request says', async () => {
    const { env } = await world.deploy();
    world.engine.before = (method) => {
      const app = world.engine.container(env.id);
      if (method === 'startService' && app) app.definition.environment['FAKE'] = 'silent';
    };
    const { last } = await world.finish(
      await world.operations.reset({ ...request(env.id), readyTimeoutMs: 150 }),
    );
    expect(last).toMatchObject({ error: { reason: 'APP_NOT_READY' } });
    expect(last).toMatchObject({ error: { message: expect.stringContaining('within 150 ms') } });
  });

  it('is refused before anything is touched: gone, compose file lost, image or app lost, port taken', async () => {
    const { env } = await world.deploy();
    const refused = async (reason: string) => {
      await expect(world.operations.reset(request(env.id))).rejects.toMatchObject({ reason });
      expect(world.engine.calls).not.toContain('down');
    };
    world.engine.images.clear();
    await refused('IMAGE_NOT_FOUND');
    world.engine.images.add('node:20-slim');
    await world.stop(env.id);
    const thief = createServer().listen(env.port ?? 0, '127.0.0.1');
    await once(thief, 'listening');
    await refused('PORT_TAKEN');
    thief.close();
    await once(thief, 'close');
    await rm(join(env.directory, 'app'), { recursive: true });
    await refused('APP_NOT_FOUND');
    await rm(join(env.directory, 'docker-compose.yml'));
    await refused('COMPOSE_INVALID');
    await world.destroy(env.id);
    await expect(world.operations.reset(request(env.id))).rejects.toMatchObject({
      reason: 'ENV_STATE',
      message: expect.stringContaining('it is destroyed'),
    });
  });

  it('is cancelled by a destroy', async () => {
    const { env } = await world.deploy();
    let destroyed: ReturnType<typeof world.destroy> | undefined;
    world.engine.before = (method) => {
      if (method !== 'createContainers') return;
      world.engine.before = () => {};
      destroyed = world.destroy(env.id);
    };
    const { last } = await world.reset(env.id);
    expect(['cancelled', 'succeeded']).toContain(last.type);
    expect((await destroyed)?.env.state).toBe('destroyed');
    await world.expectNothingLeft();
  });

  it('loads the database anew with what was recorded at the deployment', async () => {
    const calls: unknown[] = [];
    const provider = fakeDatabase(
      {
        reset: async (envId, wanted, data) => {
          calls.push([envId, wanted, data]);
          return [{ kind: 'schema', name: 's1' }];
        },
      },
      { data: { schema: 's1' } },
    );
    world.databases = new DatabaseProviderRegistry([provider]);
    world.restart();
    const metadata = { runtimeType: 'node', database: { provider: 'fake' } };
    const { env } = await world.deploy({ metadata });
    const { last } = await world.reset(env.id);
    expect(last).toMatchObject({ removed: expect.arrayContaining([{ kind: 'schema', name: 's1' }]) });
    expect(calls).toEqual([[env.id, { provider: 'fake' }, { schema: 's1' }]]);
  });
});
