import { writeFileSync } from 'node:fs';
import { MODES, pointName, type Mode, type Outcome } from './trial.js';

/** Where a copy of the table goes, for whoever wants to keep it. */
const FILE_VARIABLE = 'BERTH_TEST_FAILPOINT_TABLE';

/** Failpoint × what was done there → what came of it; all outcomes of one operation under its name. */
export function outcomeTable(outcomes: readonly Outcome[]): string {
  const lines: string[] = [];
  for (const [operation, own] of groups(
    outcomes,
    ({ case: { operation } }) => `${operation.app} ${operation.name}`,
  )) {
    const rows = [...groups(own, ({ case: { passing } }) => pointName(passing))].map(([point, cells]) => [
      point,
      ...MODES.map((mode) => cell(cells, mode)),
    ]);
    const table = [[operation, ...MODES], ...rows];
    const widths = [0, ...MODES.keys()].map((_, column) => column);
    const width = widths.map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
    lines.push(
      ...table.map((row) =>
        row
          .map((text, column) => text.padEnd(width[column] ?? 0))
          .join('  ')
          .trimEnd(),
      ),
    );
    lines.push('');
  }
  const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0).length;
  lines.push(`${outcomes.length} cases, ${wrong} of them wrong`);
  return lines.join('\n');
}

export function publish(table: string): void {
  console.log(table);
  const file = process.env[FILE_VARIABLE];
  if (file !== undefined) writeFileSync(file, `${table}\n`, { flag: 'a' });
}

function cell(outcomes: readonly Outcome[], mode: Mode): string {
  const outcome = outcomes.find(({ case: tried }) => tried.mode === mode);
  if (!outcome) return '-';
  return outcome.wrong.length > 0 ? `WRONG (${outcome.text})` : outcome.text;
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    found.set(key, [...(found.get(key) ?? []), item]);
  }
  return found;
}
