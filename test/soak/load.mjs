// Ten clients at once. Each does one thing after the other, chosen by its own generator, and verifies every answer.
import { connect } from '../../dist/clients/typescript/src/index.js';
import { breakableConnection } from './breakable.mjs';
import { ENDINGS } from './actions/endings.mjs';
import { HOSTILE } from './actions/hostile.mjs';
import { PLAIN } from './actions/plain.mjs';
import { isLoss, must, outcomeOf } from './expect.mjs';

const CLIENTS = 10;
const MOST_IN_A_ROW = 8;
/** What is broken at every turn need not be shown for minutes. */
const ENOUGH_FAILURES = 100;
/** Whom the clients act for. */
export const TENANTS = Array.from({ length: 15 }, (_, index) => `soak-${index}`);

/** What can be done with this berthd, and the names of what is left out. */
export function actionsFor(features) {
  const all = [...PLAIN, ...ENDINGS, ...HOSTILE];
  const has = ({ needs }) => needs === undefined || features[needs];
  return { actions: all.filter(has), leftOut: all.filter((action) => !has(action)).map(({ name }) => name) };
}

/**
 * Resolves when every client has ended what it was doing at the deadline.
 *
 * @param {object} options
 * @param {string} options.address
 * @param {import('./random.mjs').Random} options.random
 * @param {number} options.deadlineMs of performance.now(); nothing is begun after it
 * @param {AbortSignal} options.signal ends it early
 * @param {import('./tally.mjs').Tally} options.tally
 */
export async function putUnderLoad({ address, random, features, vandal, deadlineMs, signal, tally }) {
  const { actions } = actionsFor(features);
  const connections = new Map(TENANTS.map((tenant) => [tenant, connect({ address, tenant })]));
  const client = async (own, number) => {
    let tenant;
    let stays = 0;
    while (performance.now() < deadlineMs && !signal.aborted && tally.failureCount < ENOUGH_FAILURES) {
      const action = own.pickWeighted(actions);
      // For some actions in a row, as users do: sandboxes are used again, also by two clients of one tenant.
      if (stays-- <= 0) {
        tenant = own.pick(TENANTS);
        stays = own.int(0, MOST_IN_A_ROW);
      }
      const acting = tenant;
      await perform(action, {
        random: own.fork(),
        tenant,
        client: connections.get(tenant),
        connect: () => breakableConnection(address, acting),
        features,
        vandal,
        number,
        tally,
      });
    }
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(random.fork(), number)));
  } finally {
    for (const connection of connections.values()) connection.close();
  }
}

async function perform(action, { number, tally, ...context }) {
  const startedMs = performance.now();
  try {
    const results = await action.run(context);
    const ms = performance.now() - startedMs;
    let lost = false;
    const outcomes = results.map(({ seen, wanted }) => {
      try {
        return must(seen, wanted);
      } catch (error) {
        if (!isLoss(seen, context.vandal)) throw error;
        lost = true;
        return `hit, ${outcomeOf(seen)}`;
      }
    });
    if (lost) tally.lost++;
    tally.add(action.name, outcomes, lost || action.timed === false ? undefined : ms);
  } catch (error) {
    tally.add(action.name, ['WRONG'], undefined);
    const what = error.name === 'Wrong' ? error.message : (error.stack ?? String(error));
    tally.fail(`client ${number} as ${context.tenant}, '${action.name}': ${what}`);
  }
}
