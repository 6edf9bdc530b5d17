// The end of a run that failed: what failed and how it began to say why, so that the last lines of a log tell it.

const LINES_OF_EACH = 15;
const SHOWN_OF_ALL = 25;

/**
 * @param {{name: string, failures: import('./vitest-outcome.mjs').Failure[]}[]} stages
 * @returns {string[]} lines; none where nothing failed
 */
export function failureLines(stages) {
  const all = stages.flatMap(({ name: stage, failures }) =>
    failures.map((failure) => ({ stage, ...failure })),
  );
  const lines = all.slice(0, SHOWN_OF_ALL).flatMap(({ stage, name, error }) => {
    const text = error === '' ? [] : error.split('\n');
    const more = text.length > LINES_OF_EACH ? [`(${text.length - LINES_OF_EACH} more lines)`] : [];
    return [
      `✗ ${stage}: ${name}`,
      ...[...text.slice(0, LINES_OF_EACH), ...more].map((line) => `    ${line}`),
    ];
  });
  if (all.length > SHOWN_OF_ALL) lines.push(`and ${all.length - SHOWN_OF_ALL} more failures, above`);
  return lines;
}
