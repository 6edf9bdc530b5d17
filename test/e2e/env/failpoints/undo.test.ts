import { afterAll, beforeAll, expect, it } from 'vitest';
import { EnvState } from '../../../../clients/typescript/src/index.js';
import { FailpointWorld } from './world.js';

let world: FailpointWorld;
beforeAll(async () => {
  world = await FailpointWorld.open({ lane: 6 });
});
afterAll(async () => {
  expect(await world.close()).toEqual([]);
});

const explain = (envId: string) => world.client.env.explainEnv({ envId });
const logged = (text: string) => world.daemon.log.filter((line) => line.msg === text);

it('an undo that fails stands beside the first cause, with the time of its next try, until it is done', async () => {
  world.arm('docker.removeNetwork=error@*');
  expect(await world.deploy('failing')).toEqual({ text: 'failed APP_EXITED', ok: false });
  const [env] = world.rows().live;
  expect(env).toMatchObject({ state: 'broken', state_reason: expect.stringContaining('exited with code 3') });
  const explained = await explain(env!.id);
  expect(explained.pendingUndos).toMatchObject([
    { step: 'create_networks', message: expect.stringContaining('docker.removeNetwork') },
  ]);
  const first = explained.pendingUndos[0]!.retryTime!.getTime();
  expect(explained.blockers.map(({ reason }) => reason)).toContain('UNDO_INCOMPLETE');
  expect(logged('an undo failed; reconcile tries again')).toHaveLength(1);

  // Tried again in vain: later the next time.
  await world.settle();
  const again = (await explain(env!.id)).pendingUndos[0]!.retryTime!.getTime();
  expect(again).toBeGreaterThan(first);

  world.disarm();
  await world.settle();
  const after = await explain(env!.id);
  expect(after.pendingUndos).toEqual([]);
  expect(after.env).toMatchObject({ state: EnvState.FAILED });
  expect(after.aliveBecause).toContain('exited with code 3');
  const undone = logged('a step was undone').find((line) => line['step'] === 'create_networks');
  expect(undone?.['removed']).toMatchObject([{ kind: 'network' }]);
  // What the attempts before it removed was told of then.
  expect(logged('some of a project was removed')).toMatchObject([{ removed: [{ kind: 'volume' }] }]);
  expect(await world.violations()).toEqual([]);
});

it('so does a destroy that fails: it is one operation, however often it is tried', async () => {
  expect(await world.deploy('plain')).toMatchObject({ ok: true });
  const { id } = world.env()!;
  world.arm('docker.removeNetwork=error@*');
  expect(await world.run('destroy', id)).toEqual({ text: 'failed CONTAINER_STOP_FAILED', ok: false });
  await world.settle();
  await world.settle();
  expect((await explain(id)).pendingUndos).toMatchObject([
    { message: expect.stringContaining('removeNetwork') },
  ]);
  expect(world.env()).toMatchObject({
    state: 'broken',
    state_reason: expect.stringContaining('removeNetwork'),
  });
  expect(world.rows().unfinished).toHaveLength(1);
  const operations = new Set(
    world
      .rows()
      .events.get(id)
      ?.map((event) => event.operation),
  );
  expect(operations.size).toBe(2);

  world.disarm();
  await world.settle();
  expect((await explain(id)).env).toMatchObject({ state: EnvState.DESTROYED });
  expect(await world.violations()).toEqual([]);
});
