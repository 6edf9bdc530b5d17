import { BerthError } from '../errors.js';
import { CannotServe } from './cannot-serve.js';
import type { HostBudget } from './host-budget.js';

/** The errors by which a pool refuses, each with what to do. */

export function shuttingDown(): BerthError {
  return new BerthError('SHUTTING_DOWN', 'berthd is stopping; send the request again when it is back', {
    retryAfterMs: 5_000,
  });
}

export function isDraining(poolId: string, isEmpty: boolean): CannotServe {
  const what = isEmpty ? 'has been drained' : 'is being drained';
  return new CannotServe(
    'draining',
    new BerthError('POOL_DRAINING', `pool ${poolId} ${what}; WarmPool brings a drained pool back`, {
      metadata: { pool: poolId },
      resource: { type: 'pool', name: poolId },
    }),
  );
}

export function budgetUsed(budget: HostBudget, waited = ''): BerthError {
  return new BerthError(
    'HOST_BUDGET',
    `${waited}no more sandboxes may be made: ${budget.describe()}; retry, or raise budget.memoryBytes and budget.cpuMillis`,
    { retryAfterMs: 1_000, quota: [{ subject: 'host', description: budget.describe() }] },
  );
}

export function exhausted(
  pool: { id: string; inUse: number; max: number; lastError: BerthError | undefined },
  waited: string,
): BerthError {
  const { id, inUse, max, lastError } = pool;
  const why =
    lastError !== undefined
      ? `the last creation failed: ${lastError.message}`
      : `${inUse} of at most ${max} are in use`;
  return new BerthError('POOL_EXHAUSTED', `${waited}: ${why}; retry, or raise pool.max`, {
    cause: lastError,
    retryAfterMs: 1_000,
    quota: [{ subject: `pool:${id}`, description: `at most ${max} sandboxes` }],
    metadata: { pool: id },
  });
}
