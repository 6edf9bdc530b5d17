import { writeFileSync } from 'node:fs';
import { outcomeSummary } from './outcome-summary.js';
import { outcomeTable } from './outcome-table.js';
import type { Outcome } from './trial.js';

/** Where a copy of what is printed goes, for whoever wants to keep it. */
const FILE_VARIABLE = 'BERTH_TEST_FAILPOINT_TABLE';

/** Prints the whole table, and the summary behind it. */
export function publish(outcomes: readonly Outcome[]): void {
  if (outcomes.length === 0) return;
  const text = `${outcomeTable(outcomes)}\n${outcomeSummary(outcomes)}`;
  console.log(text);
  const file = process.env[FILE_VARIABLE];
  if (file !== undefined) writeFileSync(file, `${text}\n`, { flag: 'a' });
}
