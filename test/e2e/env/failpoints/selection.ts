import { caseName, type Case } from './trial.js';

/** Which cases run: parts of their names, separated by `;`. A line of the test's that told a wrong case begins with one. */
const VARIABLE = 'BERTH_TEST_FAILPOINT_CASES';

const parts = (process.env[VARIABLE] ?? '')
  .split(';')
  .map((part) => part.trim())
  .filter((part) => part !== '');

/** Those that were asked for; all where nobody asked. */
export function selected(cases: readonly Case[]): Case[] {
  if (parts.length === 0) return [...cases];
  return cases.filter((tried) => parts.some((part) => caseName(tried).includes(part)));
}

/** @throws Error when cases were asked for and none ran: a name that no case has must not look like success */
export function checkSelection(ran: number): void {
  if (parts.length > 0 && ran === 0)
    throw new Error(`no case's name has one of these parts (${VARIABLE}): ${parts.join('; ')}`);
}
