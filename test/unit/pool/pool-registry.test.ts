import { describe, expect, it } from 'vitest';
import { PoolRegistry } from '../../../src/domain/pool/pool-registry.js';
import { FakeFactory, SPEC } from '../../support/fake-sandboxes.js';
import { HostBudget } from '../../../src/domain/pool/host-budget.js';
import { makePool, PLENTY, settle, SETTINGS } from './make-pool.js';

describe('PoolRegistry', () => {
  it('is closed when the sandboxes of pools that it removed are gone as well', async () => {
    const factory = new FakeFactory({ auto: false });
    const registry = new PoolRegistry(new HostBudget(PLENTY), (id, spec, settings) =>
      makePool(factory, { id, spec, settings }),
    );
    const { pool } = registry.of(SPEC, { ...SETTINGS, initial: 1, idleTimeoutMs: 1_000 });
    factory.pending[0]!.finish();
    await settle();
    registry.maintain(Date.now() + 1_000);
    expect(registry.all()).toEqual([]);

    let closed = false;
    const closing = registry.close().then(() => (closed = true));
    await settle();
    expect(closed).toBe(false);
    factory.made[0]!.gone.resolve();
    await closing;
    expect(pool.size).toBe(0);
  });
});
