// Fifty tenants who take turns. A sandbox serves one tenant in its life, so that nearly every turn needs another one: what
// the pool makes in the background is in the way of the turns, as it would be. `docker run` has no such memory.
import { connect } from '../../../dist/clients/typescript/src/index.js';
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { execute } from '../peers/berth.mjs';
import { runOnce } from '../peers/docker.mjs';
import { compare, side } from '../report/finding.mjs';

const TENANTS = 50;
/** Long enough that what was warm before a round is little of it. */
const TURNS_A_ROUND = 25;
/** Rounds of the warm-up have negative numbers. */
const WARM_UP_TURNS = TENANTS;
const CONTAINERS_A_ROUND = 10;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureTenants(bench) {
  const { berthd, client, signal, note } = bench;
  const tenants = Array.from({ length: TENANTS }, (_, index) =>
    connect({ address: berthd.grpcAddress, tenant: `bench-${index}` }),
  );
  const inARow = (count, run) => async (round) => {
    await quietPool(client, signal);
    const took = [];
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted();
      note(`round ${round}, ${i + 1} of ${count}`);
      took.push(await run(round * count + i));
    }
    return took;
  };
  try {
    const [berth, docker] = await interleaved(
      [
        inARow(TURNS_A_ROUND, (turn) => execute(tenants[(turn + WARM_UP_TURNS) % TENANTS], turn)),
        inARow(CONTAINERS_A_ROUND, (turn) => runOnce(bench, turn)),
      ],
      { rounds: 4, warmUp: 1, limitMs: 60_000, signal },
    );
    return [
      compare(
        'execute_tenants50.p95.vs_docker_run',
        'p95',
        side(berth, `print(N) of ${TENANTS} tenants in turn, one after the other without a pause`),
        side(
          docker,
          'docker run --rm --network=none of the same image with python3 -c, without limits, one after the other',
        ),
      ),
    ];
  } finally {
    for (const tenant of tenants) tenant.close();
  }
}
