import { groups } from './groups.js';
import { caseName, kindOf, KINDS, MODES, type Outcome } from './trial.js';

/**
 * Operation × kind of place × what was done there → how many cases, and how often each outcome; then each wrong case by
 * itself. A table in Markdown, short enough to be read whole.
 */
export function outcomeSummary(outcomes: readonly Outcome[]): string {
  const operations = groups(outcomes, ({ case: { operation } }) => `${operation.app} ${operation.name}`);
  const rows = [...operations].flatMap(([operation, own]) =>
    KINDS.map((kind): [string, Outcome[]] => [
      `| ${operation} | ${kind} |`,
      own.filter(({ case: { passing } }) => kindOf(passing) === kind),
    ]).filter(([, cases]) => cases.length > 0),
  );
  const lines = [
    `| operation | places | ${MODES.join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(MODES.length)}`,
    ...rows.map(([row, own]) => {
      const cells = MODES.map((mode) => cell(own.filter((outcome) => outcome.case.mode === mode)));
      return `${row} ${cells.join(' | ')} |`;
    }),
    '',
    ...outcomes.flatMap((outcome) =>
      outcome.wrong.map((what) => `WRONG: ${caseName(outcome.case)}: ${outcome.text}: ${what}`),
    ),
  ];
  const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0).length;
  lines.push(`${outcomes.length} cases, ${wrong} of them wrong`);
  return lines.join('\n');
}

/** `12: 9 failed; nothing left, 3 succeeded; running`. Why a call failed is in the whole table. */
function cell(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return '-';
  const counts = new Map<string, number>();
  for (const { text, wrong } of outcomes) {
    const short = wrong.length > 0 ? 'WRONG' : text.replace(/\b(failed|refused) [^;]+/, '$1');
    counts.set(short, (counts.get(short) ?? 0) + 1);
  }
  const told = [...counts].sort(([, a], [, b]) => b - a).map(([text, count]) => `${count} ${text}`);
  return `${outcomes.length}: ${told.join(', ')}`;
}
