// The tables at the end.
import { say } from '../../src/cli/setup/progress.mjs';

const HEAD = ['action', 'runs', 'p50', 'p95', 'p99', 'max', 'how they ended'];

/** @param {import('./tally.mjs').Tally} tally */
export function printActions(tally) {
  const rows = [...tally.actions]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, { runs, outcomes, latency }]) => [
      name,
      String(runs),
      ...[50, 95, 99, 100].map((p) => (latency === undefined ? '' : latency.percentile(p).toFixed(0))),
      [...outcomes]
        .sort(([, a], [, b]) => b - a)
        .map(([outcome, count]) => `${count} × ${outcome}`)
        .join(', '),
    ]);
  say();
  printRows([HEAD, ...rows], HEAD.length - 1);
  say(
    'Latencies in milliseconds from the call to the end of the stream, of what no limit, cancel or loss ended.',
  );
}

const POOL_HEAD = [
  'pool',
  'executions',
  'hit rate',
  'acquire p50 / p95',
  'resets',
  'failed',
  'reset p50 / p95',
  'created',
  'failed',
  'destroyed',
  'lost',
  'create p50 / p95',
];

export function printPools(pools, describe) {
  const pair = ({ p50Ms, p95Ms }) => `${p50Ms.toFixed(1)} / ${p95Ms.toFixed(1)}`;
  say();
  printRows([
    POOL_HEAD,
    ...pools.map((pool) => [
      describe(pool),
      String(pool.totalExecutions),
      `${(100 * pool.hitRate).toFixed(0)} %`,
      pair(pool.acquire),
      String(pool.totalResets),
      String(pool.resetFailures),
      pair(pool.reset),
      String(pool.totalCreated),
      String(pool.createFailures),
      String(pool.totalDestroyed),
      String(pool.totalLost),
      pair(pool.create),
    ]),
  ]);
}

/** @param {import('./invariants.mjs').Checks} checks */
export function printChecks(checks) {
  say();
  printRows(
    checks.all.map(({ name, ok, seen }) => [ok ? '✓' : '✗', name, seen]),
    0,
  );
}

/** The first column is aligned to the left, and from `textFrom` on the others too. */
function printRows(rows, textFrom = Infinity) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    say(
      row
        .map((cell, column) =>
          column === 0 || column >= textFrom ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    );
}
