// An app with a MySQL server of its own that begins with the app's SQL, destroyed in between: Berth against
// `docker compose up --wait` on the same compose file, images and health checks. Docker looks at the server's health every
// ten seconds, as the file says, and compose starts the app after such a look; so compose is also measured with a look each
// second, though nobody wants that of a server that runs for long.
import { addNotes } from '../apps.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { NO_COMPOSE, withComposeCopy } from '../peers/compose.mjs';
import { deploy, destroy, mustWork } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

const SAME_FILE = 'deploy_db.p50.vs_compose_up_wait';
const EACH_SECOND = 'deploy_db.p50.vs_compose_looking_each_second';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDeployDatabase(bench) {
  const { berthd, client, compose, signal, note } = bench;
  if (compose === undefined) return [SAME_FILE, EACH_SECOND].map((name) => ({ name, missing: NO_COMPOSE }));
  const app = await addNotes(berthd, 'standalone');
  return await withComposeCopy(bench, app, async (project, withInterval) => {
    note('in turn');
    const composed = (which) => async () => {
      try {
        const { ms } = await timed(which.upAndWait);
        await mustWork(app, which.url, signal);
        return ms;
      } finally {
        await which.down();
      }
    };
    const [berth, same, eachSecond] = await interleaved(
      [
        async () => {
          const { ms, env } = await deploy(client, app, signal);
          await mustWork(app, env.url, signal);
          await destroy(client, env.envId, signal);
          return ms;
        },
        composed(project),
        composed(withInterval('1s')),
      ],
      { rounds: 5, warmUp: 0, limitMs: 180_000, signal },
    );
    const ours = side(berth, `DeployEnv of ${app.what} to its terminal event`);
    const on = `docker compose ${compose.version} up -d --wait on the file that Berth rendered`;
    return [
      compare(SAME_FILE, 'p50', ours, side(same, on)),
      compare(EACH_SECOND, 'p50', ours, side(eachSecond, `${on}, its intervals of health checks made 1 s`)),
    ];
  });
}
