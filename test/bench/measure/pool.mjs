// What berthd says of its pool.
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from '../../../src/cli/setup/host.mjs';

const QUIET_WITHIN_MS = 30_000;
const ASK_EVERY_MS = 2;

/**
 * Resolves to the pool when all of its sandboxes are ready: nothing runs, is reset, created or destroyed in it.
 *
 * @param {string} [poolId] default: the standing one
 */
export async function quietPool(client, signal, poolId = '') {
  const deadline = Date.now() + QUIET_WITHIN_MS;
  for (;;) {
    signal.throwIfAborted();
    const { pool } = await client.pool.getPool({ poolId });
    if (pool.totalSandboxes > 0 && pool.availableSandboxes === pool.totalSandboxes) return pool;
    if (Date.now() > deadline)
      throw new SetupError(`berthd's pool is still busy after ${QUIET_WITHIN_MS} ms.`);
    await delay(ASK_EVERY_MS);
  }
}
