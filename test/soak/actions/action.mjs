// What a client can do in the soak. Every choice is made with the action's own generator, so that a seed repeats it.
import { randomUUID } from 'node:crypto';
import { Isolation } from '../../../dist/clients/typescript/src/index.js';

/**
 * @typedef {object} Context
 * @property {import('../random.mjs').Random} random of this action alone
 * @property {string} tenant
 * @property {import('../../../dist/clients/typescript/src/index.js').BerthClient} client of the tenant
 * @property {() => ReturnType<typeof import('../breakable.mjs').breakableConnection>} connect a connection of its own
 * @property {import('../features.mjs').Features} features what this berthd has
 * @property {import('../vandal.mjs').Vandal} vandal
 *
 * @typedef {object} Action
 * @property {string} name
 * @property {number} weight how often it is chosen, beside the others
 * @property {keyof import('../features.mjs').Features} [needs] left out where berthd does not have it
 * @property {(context: Context) => Promise<import('../follow.mjs').Seen[]>} run resolves to the executions in it, the first of
 *   which gives the latency; throws Wrong
 * @property {boolean} [timed] whether its latency says something; default true
 */

const MIB = 1024 * 1024;

/** Sandboxes of other sizes are other pools. Mostly the standing one. */
const SIZES = [
  { weight: 8, limits: {} },
  { weight: 1, limits: { memoryBytes: 128 * MIB } },
  { weight: 1, limits: { maxProcesses: 64 } },
];

export const python = (code) => ({ language: 'python', source: { $case: 'code', value: code } });

export const command = (...argv) => ({
  language: 'python',
  source: { $case: 'command', value: { argv } },
});

/** A size and an isolation for a request that leaves both open. */
export function placed(request, { random, features }) {
  const { limits } = random.pickWeighted(SIZES);
  const { isolation } = random.pickWeighted([
    { weight: 16, isolation: Isolation.REUSE },
    { weight: 3, isolation: Isolation.SINGLE_USE },
    ...(features.gvisor ? [{ weight: 1, isolation: Isolation.GVISOR }] : []),
  ]);
  return { ...request, isolation, limits: { ...limits, ...request.limits } };
}

/** Not of the seed: a request id must be new in every run. */
export const newRequestId = () => `soak-${randomUUID()}`;
