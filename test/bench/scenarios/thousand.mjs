// A thousand executions, each with what berthd says of it: the wait for its sandbox, and the reset that made it ready.
import { quietPool } from '../measure/pool.mjs';
import { Samples } from '../measure/samples.mjs';
import { executed } from '../peers/berth.mjs';
import { figure } from '../report/finding.mjs';

const EXECUTIONS = 1_000;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureThousand({ client, signal, note }) {
  await quietPool(client, signal);
  const acquire = new Samples();
  const reset = new Samples();
  for (let round = 0; round < EXECUTIONS; round++) {
    signal.throwIfAborted();
    if (round % 100 === 0) note(`${round} of ${EXECUTIONS}`);
    const { result } = await executed(client, round);
    acquire.add(result.started.acquireMs);
    // Absent in a sandbox that nobody had before.
    const receipt = result.ended.resetReceipt;
    if (receipt !== undefined) reset.add(receipt.tookMs);
  }
  const what = `${EXECUTIONS} executions of one client, back to back`;
  return [
    figure('acquire.p95_ms', acquire.p95, 'ms', `from request to sandbox, as each answer says, of ${what}`),
    figure(
      'reset.p95_ms',
      reset.p95,
      'ms',
      `reset of a used sandbox, as the ${reset.count} receipts say, of ${what}`,
    ),
  ];
}
