// The sample node app deployed, destroyed in between: Berth against docker compose on the same compose file, image and health
// check. Compose is measured twice: with `--wait`, which is how it says that an app is ready and which waits for Docker's
// first health check, an interval after the start; and told to wait for nothing, while this process asks the app itself.
import { HEALTH_INTERVAL_MS, addHello } from '../apps.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { NO_COMPOSE, withComposeCopy } from '../peers/compose.mjs';
import { deploy, destroy, mustWork, untilAnswers } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

const WAITING = 'deploy.p50.vs_compose_up_wait';
const ASKING = 'deploy.p50.vs_compose_up_and_ask';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDeploy(bench) {
  const { berthd, client, compose, signal, note } = bench;
  if (compose === undefined) return [WAITING, ASKING].map((name) => ({ name, missing: NO_COMPOSE }));
  const app = addHello(berthd);
  return await withComposeCopy(bench, app, async (project) => {
    note('in turn');
    const composed = (up) => async () => {
      try {
        const { ms } = await timed(up);
        await mustWork(app, project.url, signal);
        return ms;
      } finally {
        await project.down();
      }
    };
    const [berth, waiting, asking] = await interleaved(
      [
        async () => {
          const { ms, env } = await deploy(client, app, signal);
          await mustWork(app, env.url, signal);
          await destroy(client, env.envId, signal);
          return ms;
        },
        composed(project.upAndWait),
        composed(async () => {
          await project.up();
          await untilAnswers(project.url, signal);
        }),
      ],
      { rounds: 10, warmUp: 1, limitMs: 90_000, signal },
    );
    const ours = side(
      berth,
      `DeployEnv of ${app.what} to its terminal event, which waits for an HTTP answer to Berth's own probe`,
    );
    const on = `docker compose ${compose.version} on the file that Berth rendered`;
    return [
      compare(
        WAITING,
        'p50',
        ours,
        side(
          waiting,
          `${on}, up -d --wait, which waits for Docker to call it healthy; its first check comes after ${HEALTH_INTERVAL_MS / 1000} s`,
        ),
      ),
      compare(ASKING, 'p50', ours, side(asking, `${on}, up -d, then asked every 10 ms until it answers`)),
    ];
  });
}
