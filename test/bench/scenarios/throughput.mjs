// Programs a second, ten at once on both sides: executions of ten clients, and bare interpreters ten at a time.
import { connect } from '../../../dist/clients/typescript/src/index.js';
import { interleaved } from '../measure/interleaved.mjs';
import { quietPool } from '../measure/pool.mjs';
import { runBare } from '../peers/bare-python.mjs';
import { execute } from '../peers/berth.mjs';
import { compare, side } from '../report/finding.mjs';

const AT_ONCE = 10;
const WINDOW_MS = 3_000;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureThroughput({ berthd, client, python, signal, note }) {
  const clients = Array.from({ length: AT_ONCE }, () => connect({ address: berthd.grpcAddress }));
  try {
    note(`${AT_ONCE} clients, the pool grows`);
    // The warm-up round is one of full length: the pool has grown to its size when it ends.
    const windows = await interleaved(
      [
        async () => {
          await quietPool(client, signal);
          return perSecond(
            clients.map((own) => (round) => execute(own, round)),
            signal,
          );
        },
        async () => {
          await quietPool(client, signal);
          return perSecond(
            Array(AT_ONCE).fill((round) => runBare(python, round)),
            signal,
          );
        },
      ],
      { rounds: 5, warmUp: 1, limitMs: 45_000, signal },
    );
    const what = `${WINDOW_MS / 1000} s each`;
    return [
      compare(
        'execute.throughput10.vs_bare_python',
        'p50',
        side(
          windows[0],
          `${AT_ONCE} clients with a connection each, the next execution as soon as the last has ended, ${what}`,
          '/s',
        ),
        side(windows[1], `python3 -c, ${AT_ONCE} at once, the next as soon as one has ended, ${what}`, '/s'),
      ),
    ];
  } finally {
    for (const own of clients) own.close();
  }
}

/** Lets each worker run again and again for the time of a window. Resolves to how many ended in it, a second. */
async function perSecond(workers, signal) {
  let round = 0;
  let ended = 0;
  const deadline = performance.now() + WINDOW_MS;
  await Promise.all(
    workers.map(async (run) => {
      while (performance.now() < deadline) {
        signal.throwIfAborted();
        await run(round++);
        if (performance.now() <= deadline) ended++;
      }
    }),
  );
  return (ended * 1000) / WINDOW_MS;
}
