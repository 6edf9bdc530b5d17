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
  'deploy-db',
  'deploy-shared',
  'stop-start',
  'destroy',
  'deploy-throughput',
  'hundred-envs',
];

/** What `--only` selects with `--profile`. */
export const PROFILES = ['execute', 'deploy', 'deploy-db', 'deploy-shared'];

const NEEDS_NODE = [
  'deploy',
  'deploy-db',
  'deploy-shared',
  'stop-start',
  'destroy',
  'deploy-throughput',
  'hundred-envs',
];
const NEEDS_MYSQL = ['deploy-db', 'deploy-shared'];
const NEEDS_COMPOSE = ['deploy', 'deploy-db', 'stop-start', 'destroy'];

const USAGE = `usage: npm run bench -- [--only ${SCENARIOS.join(',')}] [--json FILE]
       npm run bench -- --profile [--only ${PROFILES.join(',')}]`;

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {string | undefined} jsonFile absolute
 * @property {string[]} profiles of what to say where its time goes, instead of comparing
 * @property {string[]} images that the apps need
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
  const profile = values.profile === true;
  const known = profile ? PROFILES : SCENARIOS;
  const asked = values.only?.split(',').filter(Boolean) ?? known;
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0 || asked.length === 0) {
    throw new SetupError(`--only knows no ${unknown.join(', ') || 'empty list'}.\n${USAGE}`);
  }
  const chosen = known.filter((name) => asked.includes(name));
  const needs = (names) => names.some((name) => chosen.includes(name));
  return {
    scenarios: profile ? [] : chosen,
    jsonFile: values.json === undefined ? undefined : resolve(values.json),
    profiles: profile ? chosen : [],
    images: [...(needs(NEEDS_NODE) ? ['node:20-slim'] : []), ...(needs(NEEDS_MYSQL) ? ['mysql'] : [])],
    needsCompose: !profile && needs(NEEDS_COMPOSE),
  };
}
