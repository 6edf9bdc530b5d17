import { afterAll, describe, expect, it } from 'vitest';
import { chosen, isFull } from '../../../run/extent.mjs';
import { EXPIRY, FAILING_DEPLOY, lifeOf, type TriedOperation } from './operations.js';
import { outcomeTable, publish } from './outcome-table.js';
import { attempt, caseName, discover, modesOf, type Case, type Outcome } from './trial.js';
import { FailpointWorld, type WorldOptions } from './world.js';

/** Worlds at once: most of a case is waiting for Docker. */
const LANES = 2;
const HOUR = 3_600_000;

/** Of each kind of place and of each way to fail there, within seconds. */
const SAMPLE = [
  'plain deploy: store.commit(create_networks done) error',
  'plain deploy: docker.createContainer kill_after',
  'plain destroy: docker.removeNetwork error',
];
const SAMPLED_OPERATIONS = ['deploy', 'destroy'];

const outcomes: Outcome[] = [];
afterAll(() => publish(outcomeTable(outcomes)));

/** All cases of the operations, in the worlds that are there; what one of them finds wrong is told at the end. */
async function matrix(
  operations: readonly TriedOperation[],
  settings: Omit<WorldOptions, 'lane'>,
  choose: (cases: Case[]) => Case[],
): Promise<string[]> {
  const wrong: string[] = [];
  const lanes = isFull() ? LANES : 1;
  const worlds = await Promise.all(
    Array.from({ length: lanes }, (_, lane) => FailpointWorld.open({ lane, ...settings })),
  );
  try {
    const cases: Case[] = [];
    for (const operation of operations) {
      const passings = await discover(worlds[0]!, operation);
      expect(passings.length, operation.name).toBeGreaterThan(3);
      cases.push(
        ...passings.flatMap((passing) => modesOf(passing).map((mode) => ({ operation, passing, mode }))),
      );
    }
    const queue = choose(cases);
    await Promise.all(
      worlds.map(async (world) => {
        for (let tried = queue.shift(); tried; tried = queue.shift()) {
          const outcome = await attempt(world, tried).catch(async (error: unknown) => {
            // Whatever state it is in: the next case begins with a berthd that answers.
            await world.revive();
            return { case: tried!, text: 'did not come to its end', wrong: [String(error)] };
          });
          outcomes.push(outcome);
          wrong.push(...outcome.wrong.map((what) => `${caseName(tried!)}: ${outcome.text}: ${what}`));
        }
      }),
    );
  } finally {
    for (const world of worlds) wrong.push(...(await world.close()));
  }
  return wrong;
}

describe('berthd fails, waits or is killed at each commit, Docker call and SQL call', () => {
  it(
    'of the life of a plain env',
    async () => {
      const operations = lifeOf('plain').filter(({ name }) => isFull() || SAMPLED_OPERATIONS.includes(name));
      const wrong = await matrix(operations, {}, (cases) =>
        chosen('failpoint cases', cases, caseName, SAMPLE),
      );
      expect(wrong).toEqual([]);
    },
    HOUR,
  );
});

describe.runIf(isFull())('and also', () => {
  it(
    'of a deployment that fails and of its undo',
    async () => {
      expect(await matrix([FAILING_DEPLOY], {}, (cases) => cases)).toEqual([]);
    },
    HOUR,
  );

  it(
    'of the end of an env whose time is over',
    async () => {
      expect(
        await matrix([EXPIRY], { env: { BERTH_ENV_SWEEP_INTERVAL_MS: '300' } }, (cases) => cases),
      ).toEqual([]);
    },
    HOUR,
  );
});
