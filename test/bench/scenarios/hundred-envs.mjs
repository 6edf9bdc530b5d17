// The memory of a berthd that has a hundred envs, twenty of which run. It is a daemon of its own: what the others did to
// the benchmark's is no part of it.
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../../dist/clients/typescript/src/index.js';
import { addHello } from '../apps.mjs';
import { startBerthd } from '../berthd.mjs';
import { removeLabelled } from '../leftovers.mjs';
import { inParallel } from '../measure/in-parallel.mjs';
import { residentBytes } from '../measure/processes.mjs';
import { deploy, destroy, stop } from '../peers/envs.mjs';
import { figure } from '../report/finding.mjs';

const MIB = 1024 * 1024;
const ENVS = 100;
const RUNNING = 20;
const AT_ONCE = 8;
/** Time for what is behind the operations, and for at least one look at all envs. */
const SETTLE_MS = 15_000;
/** Beside the uids of the benchmark's own berthd. */
const OTHER_UIDS = { BERTH_SANDBOX_UID_FIRST: '260000' };

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureHundredEnvs({ id, signal, note }) {
  const owner = `${id}-hundred`;
  const berthd = await startBerthd(owner, signal, OTHER_UIDS);
  const client = connect({ address: berthd.grpcAddress });
  try {
    const app = addHello(berthd);
    await delay(SETTLE_MS, undefined, { signal });
    const before = residentBytes(berthd.pid);
    const made = [];
    await inParallel({ count: ENVS, atOnce: AT_ONCE }, async (index) => {
      const { env } = await deploy(client, app, signal, `bench-${index}`);
      made.push(env.envId);
      note(`${made.length} of ${ENVS} envs`);
      if (index >= RUNNING) await stop(client, env.envId, signal);
    });
    note('letting it settle');
    await delay(SETTLE_MS, undefined, { signal });
    const after = residentBytes(berthd.pid);
    note('destroying them');
    await inParallel({ count: ENVS, atOnce: AT_ONCE }, async (index) => {
      await destroy(client, made[index], signal);
    });
    return [
      figure(
        'memory.daemon_hundred_envs_mib',
        after / MIB,
        'MiB',
        `resident memory of a berthd with ${ENVS} envs of ${app.what}, ${RUNNING} of which run, and a warm pool`,
      ),
      figure(
        'memory.daemon_hundred_envs_growth_mib',
        (after - before) / MIB,
        'MiB',
        `of it more than before their deployment, ${AT_ONCE} at once`,
      ),
    ];
  } finally {
    client.close();
    await berthd.dispose();
    await removeLabelled(owner);
  }
}
