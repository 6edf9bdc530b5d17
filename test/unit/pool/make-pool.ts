import { onTestFinished } from 'vitest';
import { PoolEvents } from '../../../src/domain/pool/events.js';
import { HostBudget } from '../../../src/domain/pool/host-budget.js';
import { SandboxPool, type PoolOptions } from '../../../src/domain/pool/pool.js';
import type { PoolSettings } from '../../../src/domain/pool/settings.js';
import { SPEC, type FakeFactory } from '../../support/fake-sandboxes.js';
import { SilentLogger } from '../../support/silent-logger.js';

export const SETTINGS: PoolSettings = {
  min: 1,
  initial: 3,
  max: 10,
  idleTimeoutMs: 300_000,
  healthIntervalMs: 30_000,
  maxUses: 1_000,
  maxAgeMs: 3_600_000,
  keepForTenantMs: 60_000,
  resetTimeoutMs: 10_000,
};

export const PLENTY = { memoryBytes: 1e9, cpuMillis: 1e9 };

/** A pool of fake sandboxes that is taken down with the test. */
export function makePool(factory: FakeFactory, options: Partial<PoolOptions> = {}): SandboxPool {
  const pool = new SandboxPool({
    id: 'pool-test',
    spec: SPEC,
    settings: SETTINGS,
    factory,
    budget: new HostBudget(PLENTY),
    events: new PoolEvents(options.now),
    logger: new SilentLogger(),
    acquireTimeoutMs: 5_000,
    createTimeoutMs: 5_000,
    parallelCreates: 2,
    ...options,
  });
  onTestFinished(async () => {
    const closing = pool.close();
    for (const slot of [...pool.slots().values()]) if (slot.state === 'leased') slot.lease.release();
    for (const sandbox of factory.made) {
      for (const reset of sandbox.resets) reset.reject(new Error('the test is over'));
      sandbox.gone.resolve();
    }
    await closing;
  });
  return pool;
}

/** Lets everything that is due on the event loop happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
