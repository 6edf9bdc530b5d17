// What the command line asks for.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SetupError } from '../../src/cli/setup/host.mjs';

const DEFAULT_MINUTES = 5;
const USAGE = 'usage: npm run soak -- [--minutes M] [--seed SEED] [--log FILE]';

/**
 * @typedef {object} Options
 * @property {number} minutes of load; settling and the checks come on top
 * @property {string} seed of every choice
 * @property {string | undefined} logFile absolute; where berthd's log is kept
 */

/** @returns {Options} @throws SetupError for an unknown option or a wrong value */
export function parseArguments(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: { minutes: { type: 'string' }, seed: { type: 'string' }, log: { type: 'string' } },
    }));
  } catch (error) {
    throw new SetupError(`${error.message}\n${USAGE}`);
  }
  const minutes = Number(values.minutes ?? DEFAULT_MINUTES);
  if (!(minutes > 0 && minutes <= 24 * 60))
    throw new SetupError(`--minutes must be above 0 and at most a day, not ${values.minutes}.\n${USAGE}`);
  return {
    minutes,
    seed: values.seed ?? randomBytes(4).toString('hex'),
    logFile: values.log === undefined ? undefined : resolve(values.log),
  };
}
