// What the berthd under test has. What it has not is left out of the soak, and the report says so.
import { Isolation } from '../../dist/clients/typescript/src/index.js';
import { python } from './actions/action.mjs';

const NO_SUCH = 'none-000000000000';

/**
 * @typedef {Record<'cancelExecution' | 'attachExecution' | 'listExecutions' | 'watchPools' | 'recycleSandbox' | 'drainPool' | 'gvisor', boolean>} Features
 */

/**
 * Asks for each. Any other answer than that it is missing means that it is there.
 *
 * @returns {Promise<{features: Features, missing: string[]}>} `missing`: with berthd's reasons, for people
 */
export async function detectFeatures(client) {
  const first = async (stream) => {
    for await (const _ of stream) return;
  };
  const probes = {
    cancelExecution: () => client.sandbox.cancelExecution({ executionId: NO_SUCH }),
    attachExecution: () => first(client.sandbox.attachExecution({ executionId: NO_SUCH })),
    listExecutions: () => client.sandbox.listExecutions({ pageSize: 1 }),
    watchPools: () => first(client.pool.watchPools({})),
    recycleSandbox: () => client.pool.recycleSandbox({ sandboxId: NO_SUCH }),
    drainPool: () => client.pool.drainPool({ poolId: NO_SUCH }),
    gvisor: () => client.run({ ...python('print(1)'), isolation: Isolation.GVISOR }),
  };
  const features = {};
  const missing = [];
  for (const [name, ask] of Object.entries(probes)) {
    features[name] = true;
    try {
      await ask();
    } catch (error) {
      if (!['NOT_BUILT', 'ISOLATION_UNAVAILABLE'].includes(error.reason)) continue;
      features[name] = false;
      missing.push(`${name} (${error.reason}: ${error.message})`);
    }
  }
  return { features, missing };
}
