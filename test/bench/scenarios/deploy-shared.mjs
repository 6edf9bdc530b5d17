// The same app with a database on the shared server, which runs already, and with a server of its own. Both are Berth.
import { addNotes } from '../apps.mjs';
import { interleaved } from '../measure/interleaved.mjs';
import { deploy, destroy, mustWork } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDeployShared({ berthd, client, signal, note }) {
  note('the shared server');
  await client.env.ensureSharedDatabase({}, { signal });
  const deployed = async (provider) => {
    const app = await addNotes(berthd, provider);
    return async () => {
      const { ms, env } = await deploy(client, app, signal);
      await mustWork(app, env.url, signal);
      await destroy(client, env.envId, signal);
      return ms;
    };
  };
  const sides = [await deployed('shared'), await deployed('standalone')];
  note('in turn');
  const [shared, standalone] = await interleaved(sides, { rounds: 7, warmUp: 1, limitMs: 120_000, signal });
  return [
    compare(
      'deploy_shared.p50.vs_deploy_standalone',
      'p50',
      side(shared, 'DeployEnv of test/apps/notes, its schema on the shared server, to its terminal event'),
      side(standalone, 'DeployEnv of the same app with a MySQL server of its own'),
    ),
  ];
}
