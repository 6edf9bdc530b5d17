// Executions with gVisor between the code and the kernel, against the bare interpreter, which has nothing between.
import { Isolation } from '../../../dist/clients/typescript/src/index.js';
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { runBare } from '../peers/bare-python.mjs';
import { execute, executed } from '../peers/berth.mjs';
import { compare, side } from '../report/finding.mjs';

const NAME = 'execute_gvisor.p50.vs_bare_python';
const GVISOR = { isolation: Isolation.GVISOR };
/** How berthd says that this host, or this version, has no gVisor. */
const UNAVAILABLE = ['ISOLATION_UNAVAILABLE', 'NOT_BUILT'];

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureGvisor({ client, python, signal }) {
  let poolId;
  try {
    const { result } = await executed(client, 0, GVISOR);
    poolId = result.started.poolId;
  } catch (error) {
    if (!UNAVAILABLE.includes(error.reason)) throw error;
    return [{ name: NAME, missing: `berthd gives no gVisor here (${error.reason}): ${error.message}` }];
  }
  const paced = (run) => async (round) => {
    await quietPool(client, signal, poolId);
    return run(round);
  };
  const [berth, bare] = await interleaved(
    [paced((round) => execute(client, round, GVISOR)), paced((round) => runBare(python, round))],
    { rounds: 100, warmUp: 10, limitMs: 25_000, signal },
  );
  return [
    compare(
      NAME,
      'p50',
      side(berth, 'print(N) with ISOLATION_GVISOR through the TypeScript client, when a sandbox is ready'),
      side(bare, 'python3 -c started by the same process, read to EOF'),
    ),
  ];
}
