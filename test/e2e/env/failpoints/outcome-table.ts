import { groups } from './groups.js';
import { MODES, pointName, type Mode, type Outcome } from './trial.js';

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
  return lines.join('\n');
}

function cell(outcomes: readonly Outcome[], mode: Mode): string {
  const outcome = outcomes.find(({ case: tried }) => tried.mode === mode);
  if (!outcome) return '-';
  return outcome.wrong.length > 0 ? `WRONG (${outcome.text})` : outcome.text;
}
