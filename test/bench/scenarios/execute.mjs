// One execution at a time, with a sandbox ready: Berth against the bare interpreter, `docker exec` and `docker run`.
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { runBare } from '../peers/bare-python.mjs';
import { execute } from '../peers/berth.mjs';
import { fasterExec, runOnce, warmContainer } from '../peers/docker.mjs';
import { compare, side } from '../report/finding.mjs';

const OURS = 'print(N) through the TypeScript client, to its terminal event, when a sandbox is ready';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureExecute(bench) {
  const { client, docker, python, signal, note } = bench;
  // Both sides begin when the pool is at rest, so that a reset disturbs neither.
  const paced = (run) => async (round) => {
    await quietPool(client, signal);
    return run(round);
  };
  const berth = paced((round) => execute(client, round));

  note('against bare python');
  const bare = await interleaved([berth, paced((round) => runBare(python, round))], {
    rounds: 300,
    // What a berthd that has served for a while does: its code is compiled by then.
    warmUp: 100,
    limitMs: 35_000,
    signal,
  });
  const bareSides = [
    side(bare[0], OURS),
    side(bare[1], 'python3 -c started by the same process, read to EOF'),
  ];

  note('against docker exec');
  const container = await warmContainer(bench);
  let viaExec;
  let way;
  try {
    const exec = await fasterExec(docker, container.id);
    way = exec.way;
    viaExec = await interleaved([berth, paced(exec.run)], { rounds: 80, warmUp: 3, limitMs: 20_000, signal });
  } finally {
    await container.remove();
  }
  const execPeer = `exec of python3 -c in a running container of the same image without limits, by the ${way}, which is the faster way here`;

  note('against docker run');
  const viaRun = await interleaved([berth, paced((round) => runOnce(bench, round))], {
    rounds: 25,
    warmUp: 2,
    limitMs: 30_000,
    signal,
  });
  const runPeer = 'docker run --rm --network=none of the same image with python3 -c, without limits';

  return [
    compare('execute.p50.vs_bare_python', 'p50', ...bareSides),
    compare('execute.p95.vs_bare_python', 'p95', ...bareSides),
    compare('execute.p50.vs_docker_exec', 'p50', side(viaExec[0], OURS), side(viaExec[1], execPeer)),
    compare('execute.p50.vs_docker_run', 'p50', side(viaRun[0], OURS), side(viaRun[1], runPeer)),
  ];
}
