import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvHarness } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const ref = (envId: string, requestId: string) => ({ tenant: 'default', envId, requestId });

describe('the request id of a call that began nothing', () => {
  it('replays the reset that it joined, and does not reset again', async () => {
    const { env } = await world.deploy();
    const first = await world.operations.reset(ref(env.id, 'r-1'));
    const joined = await world.operations.reset(ref(env.id, 'r-2'));
    expect(joined.operationId).toBe(first.operationId);
    await world.finish(joined);
    const repeated = await world.finish(await world.operations.reset(ref(env.id, 'r-2')));
    expect(repeated.handle.operationId).toBe(first.operationId);
    expect(repeated.last).toMatchObject({ type: 'succeeded', kind: 'reset' });
    await expect(world.operations.stop(ref(env.id, 'r-2'))).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
      metadata: { operation_id: first.operationId },
    });
    expect((await world.operations.present(env)).lastFailure).toBeUndefined();
  });

  it('replays the deployment that it joined, and makes no env when that was destroyed', async () => {
    const first = await world.operations.deploy(world.request({ requestId: 'd-1' }));
    const joined = await world.operations.deploy(world.request({ requestId: 'd-2' }));
    expect(joined.operationId).toBe(first.operationId);
    await world.finish(joined);
    await world.destroy(first.env.id);
    const repeated = await world.operations.deploy(world.request({ requestId: 'd-2' }));
    expect(repeated).toMatchObject({ operationId: first.operationId, env: { id: first.env.id } });
    await world.expectNothingLeft();
  });

  it('hides nothing of what went before', async () => {
    const { env } = await world.deploy({ environment: { FAKE: 'exit' } });
    await world.destroy(env.id);
    await world.finish(await world.operations.destroy(ref(env.id, 'x-1')));
    expect((await world.operations.present(env)).lastFailure).toMatchObject({
      error: { reason: 'APP_EXITED' },
    });
  });

  it('replays the destroy of what was gone', async () => {
    const { env } = await world.deploy();
    await world.destroy(env.id);
    const one = await world.operations.destroy(ref(env.id, 'x-1'));
    const two = await world.operations.destroy(ref(env.id, 'x-1'));
    expect(two.operationId).toBe(one.operationId);
    expect((await world.finish(two)).last).toMatchObject({ outcome: 'unchanged', state: 'destroyed' });
  });
});
