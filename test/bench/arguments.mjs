// What the command line asks for.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SetupError } from '../../src/cli/setup/host.mjs';

const NODE = 'node:20-slim';
const MYSQL = 'mysql';
const COMPOSE = 'compose';

/**
 * What `--only` selects, in the order in which it is measured, each with what it needs beyond berthd and its sandboxes:
 * images, and the compose tool.
 */
const NEEDS = {
  idle: [],
  execute: [],
  imports: [],
  'first-output': [],
  'back-to-back': [],
  thousand: [],
  throughput: [],
  tenants: [],
  gvisor: [],
  stream: [],
  deploy: [NODE, COMPOSE],
  'deploy-db': [NODE, MYSQL, COMPOSE],
  'deploy-shared': [NODE, MYSQL],
  'stop-start': [NODE, COMPOSE],
  destroy: [NODE, COMPOSE],
  'deploy-throughput': [NODE],
  'hundred-envs': [NODE],
};
export const SCENARIOS = Object.keys(NEEDS);

/** What `--only` selects with `--profile`. */
export const PROFILES = ['execute', 'deploy', 'deploy-db', 'deploy-shared'];

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
  const needed = new Set(chosen.flatMap((name) => NEEDS[name]));
  return {
    scenarios: profile ? [] : chosen,
    jsonFile: values.json === undefined ? undefined : resolve(values.json),
    profiles: profile ? chosen : [],
    images: [NODE, MYSQL].filter((image) => needed.has(image)),
    needsCompose: !profile && needed.has(COMPOSE),
  };
}
