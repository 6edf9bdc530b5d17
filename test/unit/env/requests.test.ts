import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvHarness } from '../../support/env/env-harness.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  expect(world.store.envs.size, 'nothing was touched').toBe(0);
  expect(world.engine.calls).toEqual([]);
  await world.expectNothingLeft();
  await world.close();
});

const BAD_IDS = [
  '../x',
  'a/../b',
  'a..b',
  '/abs',
  'a\0b',
  'a\nb',
  'x'.repeat(300),
  'аlice',
  'a b',
  '.hidden',
  '',
  '%2e%2e',
];

describe('bad input to a deployment is refused before anything is touched', () => {
  it.each(BAD_IDS)('ids like %j', async (id) => {
    const request = { tenant: id, userId: id, systemId: id || '/', appId: id };
    const expected = ['tenant', 'user_id', 'system_id', 'app_id'].map((field) => ({
      field,
      rule: expect.any(String),
    }));
    await expect(world.deploy(request)).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      violations: expected,
    });
  });

  it.each([
    [{ requestId: 'x'.repeat(129) }, 'request_id'],
    [{ requestId: 'näme' }, 'request_id'],
    [{ readyTimeoutMs: -1 }, 'ready_timeout_ms'],
    [{ readyTimeoutMs: 600_001 }, 'ready_timeout_ms'],
    [{ readyTimeoutMs: 0.5 }, 'ready_timeout_ms'],
    [{ readyTimeoutMs: Number.NaN }, 'ready_timeout_ms'],
    [{ ttlMs: -1 }, 'ttl_ms'],
    [{ ttlMs: 604_800_001 }, 'ttl_ms'],
    [{ ttlMs: Number.MAX_SAFE_INTEGER + 1 }, 'ttl_ms'],
    [{ idleTimeoutMs: -3_600_000 }, 'idle_timeout_ms'],
    [{ idleTimeoutMs: Number.POSITIVE_INFINITY }, 'idle_timeout_ms'],
    [{ labels: { '': 'x' } }, 'labels'],
    [{ labels: { course: 'x'.repeat(10_000) } }, 'labels'],
    [{ environment: { 'A=B': 'x' } }, 'env.A=B'],
    [{ environment: { A: 'x\0' } }, 'env.A'],
    [{ labels: { 'a\0b': 'x' } }, 'labels'],
    [{ labels: { a: 'x\0' } }, 'labels'],
    [{ labels: { '': 'x' } }, 'labels'],
    [{ files: [{ path: '../x', content: Buffer.of(), mode: 0 }] }, 'files[0].path'],
    [{ files: [{ path: '/etc/x', content: Buffer.of(), mode: 0 }] }, 'files[0].path'],
  ])('%j names %s', async (overrides, field) => {
    await expect(world.deploy(overrides)).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      violations: [{ field }],
    });
  });

  it.each([
    [{ files: [] }, 'APP_NOT_FOUND'],
    [{ files: [{ path: 'x', content: Buffer.of(), mode: 0 }] }, 'APP_INVALID'],
    [{ metadata: { runtimeType: 'cobol' } }, 'RUNTIME_UNKNOWN'],
    [{ metadata: { runtimeType: 'node', privileged: true } }, 'APP_INVALID'],
    [{ metadata: { runtimeType: 'node', database: { provider: 'shared' } } }, 'APP_INVALID'],
  ])('an app like %j: %s', async (overrides, reason) => {
    await expect(world.deploy(overrides)).rejects.toMatchObject({ reason });
  });

  it('ids of envs', async () => {
    const { operations } = world;
    for (const envId of ['', 'env-', 'env-../../../../', 'ENV-0123456789ab', 'env-0123456789ab\n']) {
      const expected = { reason: 'INVALID_ARGUMENT', violations: [{ field: 'env_id' }] };
      await expect(operations.stop({ tenant: 'default', envId, requestId: '' })).rejects.toMatchObject(
        expected,
      );
      await expect(operations.get('default', envId)).rejects.toMatchObject(expected);
    }
    await expect(operations.get('default', 'env-0123456789ab')).rejects.toMatchObject({
      reason: 'ENV_NOT_FOUND',
    });
    await expect(operations.list({ tenant: 'default', userId: '../x' }, 501, '')).rejects.toMatchObject({
      violations: [{ field: 'user_id' }, { field: 'page_size' }],
    });
  });
});
