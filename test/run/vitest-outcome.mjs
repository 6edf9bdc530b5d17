// A vitest reporter: writes what `npm test` has to know of a run, and nothing that is only for people. vitest's own JSON
// leaves out errors outside of tests and of hooks, which fail a run as well and have to be named.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Names the file that the outcome is written to, an `Outcome` in JSON. */
export const OUTCOME_VARIABLE = 'BERTH_TEST_OUTCOME';

/**
 * @typedef {{name: string, error: string}} Failure `name` as vitest prints it: file > describe > test
 * @typedef {{passed: number, failed: number, skipped: number, failures: Failure[]}} Outcome
 */

export default class OutcomeReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const outcome = outcomeOf(modules, unhandledErrors);
    writeFileSync(process.env[OUTCOME_VARIABLE], JSON.stringify(outcome));
  }
}

/**
 * @param {Iterable<import('vitest/node').TestModule>} modules
 * @param {Iterable<import('vitest').SerializedError>} unhandledErrors
 * @returns {Outcome}
 */
export function outcomeOf(modules, unhandledErrors) {
  const outcome = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const fail = (name, errors) => outcome.failures.push({ name, error: errors.map(textOf).join('\n') });

  for (const module of modules) {
    const file = relative(module.project.config.root, module.moduleId);
    if (module.errors().length > 0) fail(file, module.errors());
    for (const suite of module.children.allSuites())
      if (suite.errors().length > 0) fail(`${file} > ${suite.fullName} (its hooks)`, suite.errors());
    for (const test of module.children.allTests()) {
      const { state, errors = [] } = test.result();
      if (state === 'failed') fail(`${file} > ${test.fullName}`, errors);
      else if (state === 'passed') outcome.passed++;
      else outcome.skipped++;
    }
  }
  for (const error of unhandledErrors) fail('an error outside of tests', [error]);
  outcome.failed = outcome.failures.length;
  return outcome;
}

/** Type and message, where in our own code it came from, and what differs. */
function textOf({ name, message, stack = '', diff = '' }) {
  const frames = stack.split('\n').filter((line) => /^\s*at /.test(line) && !line.includes('node_modules'));
  const parts = [`${name ?? 'Error'}: ${message}`, ...frames.slice(0, 3), diff];
  return stripVTControlCharacters(parts.filter((part) => part !== '').join('\n'));
}
