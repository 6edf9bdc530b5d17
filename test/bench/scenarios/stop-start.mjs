// An app stopped and started again: Berth against docker compose on the same compose file, and against the bare calls of
// Docker's API. Berth's start ends when the app has answered; the others' when the container runs, so this process then asks
// the app until it answers.
import { addHello } from '../apps.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { NO_COMPOSE, withComposeCopy } from '../peers/compose.mjs';
import { restartByApi } from '../peers/docker.mjs';
import { deploy, destroy, mustWork, start, stop, untilAnswers } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

const NAME = 'stop_start.p50.vs_compose';
const CALLS_NAME = 'stop_start.p50.vs_docker_calls';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureStopStart(bench) {
  const { berthd, client, compose, docker, signal, note } = bench;
  if (compose === undefined) return [NAME, CALLS_NAME].map((name) => ({ name, missing: NO_COMPOSE }));
  const app = addHello(berthd);
  return await withComposeCopy(bench, app, async (project) => {
    const { env } = await deploy(client, app, signal);
    try {
      await project.up();
      note('in turn');
      const restarted = async (restart) => {
        const { ms } = await timed(async () => {
          await restart();
          await untilAnswers(project.url, signal);
        });
        await mustWork(app, project.url, signal);
        return ms;
      };
      const [berth, peer, calls] = await interleaved(
        [
          async () => {
            const stopped = await stop(client, env.envId, signal);
            const started = await start(client, env.envId, signal);
            await mustWork(app, started.env.url, signal);
            return stopped.ms + started.ms;
          },
          () =>
            restarted(async () => {
              await project.stop();
              await project.start();
            }),
          () => restarted(() => restartByApi(docker, project)),
        ],
        { rounds: 15, warmUp: 2, limitMs: 60_000, signal },
      );
      const ours = side(
        berth,
        `StopEnv and StartEnv of ${app.what} to their terminal events, the second after an HTTP answer`,
      );
      const asked = 'then asked every 10 ms until it answers';
      return [
        compare(
          NAME,
          'p50',
          ours,
          side(
            peer,
            `docker compose ${compose.version} stop and start on the file that Berth rendered, ${asked}`,
          ),
        ),
        compare(
          CALLS_NAME,
          'p50',
          ours,
          side(calls, `Docker's answers alone: the calls stop and start of the same container, ${asked}`),
        ),
      ];
    } finally {
      await project.down();
      await destroy(client, env.envId, signal);
    }
  });
}
