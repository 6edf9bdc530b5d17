// What the command line asks for.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SetupError } from '../../src/cli/setup/host.mjs';

/** What `--only` selects, in the order in which it is measured. */
export const SCENARIOS = [
  'idle',
  'execute',
  'imports',
  'first-output',
  'back-to-back',
  'thousand',
  'throughput',
  'tenants',
  'gvisor',
  'stream',
  'deploy',
];

const USAGE = `usage: npm run bench -- [--only ${SCENARIOS.join(',')}] [--json FILE] [--profile]`;

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {string | undefined} jsonFile absolute
 * @property {boolean} profile measure where the time of an execution goes, instead of comparing
 * @property {boolean} needsApps
 * @property {boolean} needsCompose
 */

/** @returns {Options} @throws SetupError for an unknown option or scenario */
export function parseArguments(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: { only: { type: 'string' }, json: { type: 'string' }, profile: { type: 'boolean' } },
    }));
  } catch (error) {
    throw new SetupError(`${error.message}\n${USAGE}`);
  }
  const asked = values.only?.split(',').filter(Boolean) ?? SCENARIOS;
  const unknown = asked.filter((name) => !SCENARIOS.includes(name));
  if (unknown.length > 0 || asked.length === 0) {
    throw new SetupError(`--only knows no ${unknown.join(', ') || 'empty list'}.\n${USAGE}`);
  }
  const profile = values.profile === true;
  const scenarios = profile ? [] : SCENARIOS.filter((name) => asked.includes(name));
  const deploys = scenarios.includes('deploy');
  return {
    scenarios,
    jsonFile: values.json === undefined ? undefined : resolve(values.json),
    profile,
    needsApps: deploys,
    needsCompose: deploys,
  };
}
