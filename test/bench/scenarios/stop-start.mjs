// An app stopped and started again: Berth against docker compose on the same compose file. Berth's start ends when the app
// has answered; compose's when the container runs, so this process then asks the app until it answers.
import { addHello } from '../apps.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { NO_COMPOSE, withComposeCopy } from '../peers/compose.mjs';
import { deploy, destroy, mustWork, start, stop, untilAnswers } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

const NAME = 'stop_start.p50.vs_compose';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureStopStart(bench) {
  const { berthd, client, compose, signal, note } = bench;
  if (compose === undefined) return [{ name: NAME, missing: NO_COMPOSE }];
  const app = addHello(berthd);
  return await withComposeCopy(bench, app, async (project) => {
    const { env } = await deploy(client, app, signal);
    try {
      await project.up();
      note('in turn');
      const [berth, peer] = await interleaved(
        [
          async () => {
            const stopped = await stop(client, env.envId, signal);
            const started = await start(client, env.envId, signal);
            await mustWork(app, started.env.url, signal);
            return stopped.ms + started.ms;
          },
          async () => {
            const { ms } = await timed(async () => {
              await project.stop();
              await project.start();
              await untilAnswers(project.url, signal);
            });
            await mustWork(app, project.url, signal);
            return ms;
          },
        ],
        { rounds: 15, warmUp: 2, limitMs: 60_000, signal },
      );
      return [
        compare(
          NAME,
          'p50',
          side(
            berth,
            `StopEnv and StartEnv of ${app.what} to their terminal events, the second after an HTTP answer`,
          ),
          side(
            peer,
            `docker compose ${compose.version} stop and start on the file that Berth rendered, then asked every 10 ms until it answers`,
          ),
        ),
      ];
    } finally {
      await project.down();
      await destroy(client, env.envId, signal);
    }
  });
}
