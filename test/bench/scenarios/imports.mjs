// A program that begins with what most programs begin with: imports. The bare interpreter reads them from disk.
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { runBare } from '../peers/bare-python.mjs';
import { execute } from '../peers/berth.mjs';
import { compare, side } from '../report/finding.mjs';

const PRELUDE = 'import json, re, random, datetime, collections, math\n';

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureImports({ client, python, signal }) {
  const paced = (run) => async (round) => {
    await quietPool(client, signal);
    return run(round);
  };
  const [berth, bare] = await interleaved(
    [
      paced((round) => execute(client, round, { prelude: PRELUDE })),
      paced((round) => runBare(python, round, PRELUDE)),
    ],
    { rounds: 150, warmUp: 10, limitMs: 25_000, signal },
  );
  const what = `${PRELUDE.trim()}, then print(N)`;
  return [
    compare(
      'execute_imports.p50.vs_bare_python',
      'p50',
      side(berth, `${what}, through the TypeScript client, when a sandbox is ready`),
      side(bare, `${what}, python3 -c started by the same process, read to EOF`),
    ),
  ];
}
