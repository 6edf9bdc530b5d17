// Apps destroyed with all they have: Berth against `docker compose down --volumes` on the same compose file. One app handles
// SIGTERM and ends by itself; the other does not, and all give it the grace of its compose file before they kill it. What of
// it all is Docker's own time, the bare calls of its API say.
import { addHello, addIgnoresSigterm } from '../apps.mjs';
import { interleaved, timed } from '../measure/interleaved.mjs';
import { NO_COMPOSE, withComposeCopy } from '../peers/compose.mjs';
import { removeByApi } from '../peers/docker.mjs';
import { deploy, destroy, untilAnswers } from '../peers/envs.mjs';
import { compare, side } from '../report/finding.mjs';

const NAME = 'destroy.p50.vs_compose_down';
const CALLS_NAME = 'destroy.p50.vs_docker_calls';
const KILLED_NAME = 'destroy_killed.p50.vs_compose_down';
const KILLED_CALLS_NAME = 'destroy_killed.p50.vs_docker_calls';
const NAMES = [NAME, CALLS_NAME, KILLED_NAME, KILLED_CALLS_NAME];

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureDestroy(bench) {
  if (bench.compose === undefined) return NAMES.map((name) => ({ name, missing: NO_COMPOSE }));
  const { berthd } = bench;
  return [
    ...(await measure(bench, [NAME, CALLS_NAME], addHello(berthd), { rounds: 10, limitMs: 60_000 })),
    ...(await measure(bench, [KILLED_NAME, KILLED_CALLS_NAME], addIgnoresSigterm(berthd), {
      rounds: 5,
      limitMs: 70_000,
    })),
  ];
}

async function measure(bench, [name, callsName], app, { rounds, limitMs }) {
  const { client, compose, docker, signal, note } = bench;
  return await withComposeCopy(bench, app, async (project) => {
    note(`${app.id} in turn`);
    const [berth, peer, calls] = await interleaved(
      [
        async () => {
          const { env } = await deploy(client, app, signal);
          const { ms } = await destroy(client, env.envId, signal);
          return given(app, ms);
        },
        async () => {
          await project.up();
          await untilAnswers(project.url, signal);
          const { ms } = await timed(project.down);
          return given(app, ms);
        },
        async () => {
          await project.up();
          await untilAnswers(project.url, signal);
          const { ms } = await timed(() => removeByApi(docker, project));
          return given(app, ms);
        },
      ],
      { rounds, warmUp: 1, limitMs, signal },
    );
    const which = `${app.what}, which ${app.graceMs === undefined ? 'ends at SIGTERM' : `does not end at SIGTERM and is given ${app.graceMs / 1000} s`}`;
    const ours = side(
      berth,
      `DestroyEnv of ${which}, to its terminal event: directory, port and database are gone too`,
    );
    return [
      compare(
        name,
        'p50',
        ours,
        side(peer, `docker compose ${compose.version} down --volumes on the file that Berth rendered`),
      ),
      compare(
        callsName,
        'p50',
        ours,
        side(
          calls,
          "Docker's answers alone: the calls stop, remove container and remove network of the same project",
        ),
      ),
    ];
  });
}

/** Who kills early is fast and wrong. */
function given({ id, graceMs = 0 }, ms) {
  if (ms < graceMs) throw new Error(`${id} was removed after ${ms} ms, within its grace of ${graceMs} ms`);
  return ms;
}
