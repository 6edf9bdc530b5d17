import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { caseName, NOT_PASSED, type Case, type Outcome } from './trial.js';

/** A file of outcomes, one a line as they come: a run that was ended is taken up where it was. */
const VARIABLE = 'BERTH_TEST_FAILPOINT_RECORD';

const file = process.env[VARIABLE];

type Line = Pick<Outcome, 'text' | 'wrong'> & { case: string };

const earlier = file !== undefined && existsSync(file) ? read(file) : new Map<string, Line>();

/** What came of a case in an earlier run; undefined: it did not run, or not as it should, and is worth another try. */
export function recorded(tried: Case): Outcome | undefined {
  const line = earlier.get(caseName(tried));
  const isGood = line && line.wrong.length === 0 && line.text !== NOT_PASSED;
  return isGood ? { case: tried, text: line.text, wrong: [] } : undefined;
}

export function record({ case: tried, text, wrong }: Outcome): void {
  if (file === undefined) return;
  const line: Line = { case: caseName(tried), text, wrong };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** The last line of each case. */
function read(path: string): Map<string, Line> {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return new Map(lines.map((text) => JSON.parse(text) as Line).map((line) => [line.case, line]));
}
