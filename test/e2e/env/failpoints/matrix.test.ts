import { afterAll, expect, it } from 'vitest';
import { chosen, isFull, onlyInFull } from '../../../run/extent.mjs';
import type { AppName } from './apps.js';
import { EXPIRY, FAILING_DEPLOY, lifeOf, type TriedOperation } from './operations.js';
import { outcomeTable, publish } from './outcome-table.js';
import { restartTests } from './restarts.js';
import { attempt, caseName, discover, modesOf, pointName, type Case, type Outcome } from './trial.js';
import { FailpointWorld, type WorldOptions } from './world.js';

/** Worlds at once: most of a case is waiting for Docker. */
const LANES = 3;
const HOUR = 3_600_000;

/** Of each kind of place and of each way to fail there, within seconds. */
const SAMPLE = [
  'plain deploy: store.commit(create_networks done, create_containers intent) error',
  'plain deploy: docker.createContainer kill_after',
  'plain destroy: docker.removeNetwork error',
];
const SAMPLED_OPERATIONS = ['deploy', 'destroy'];

const outcomes: Outcome[] = [];
afterAll(() => publish(outcomeTable(outcomes)));

/** All cases of the operations, in the worlds that are there; what one of them finds wrong is told at the end. */
async function matrix(
  operations: readonly TriedOperation[],
  { lanes = LANES, ...settings }: Omit<WorldOptions, 'lane'> & { lanes?: number },
  choose: (cases: Case[]) => Case[],
): Promise<string[]> {
  const wrong: string[] = [];
  const worlds = await Promise.all(
    Array.from({ length: isFull() ? lanes : 1 }, (_, lane) => FailpointWorld.open({ lane, ...settings })),
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
          const told = outcome.wrong.map((what) => `${caseName(tried!)}: ${outcome.text}: ${what}`);
          // At once: the whole takes long.
          for (const line of told) console.error(line);
          wrong.push(...told);
        }
      }),
    );
  } finally {
    for (const world of worlds) wrong.push(...(await world.close()));
  }
  return wrong;
}

/** The cases of other apps, at places that this one does not pass. */
function beyond(app: AppName, cases: readonly Case[]): Case[] {
  const known = new Set(
    cases.flatMap(({ operation, passing }) =>
      operation.app === app ? [`${operation.name}: ${pointName(passing)}`] : [],
    ),
  );
  return cases.filter(
    ({ operation, passing }) =>
      operation.app !== app && !known.has(`${operation.name}: ${pointName(passing)}`),
  );
}

const WHAT = 'berthd fails, waits or is killed at each commit, Docker call and SQL call ';

it(
  WHAT + 'of the life of a plain env',
  async () => {
    const operations = lifeOf('plain').filter(({ name }) => isFull() || SAMPLED_OPERATIONS.includes(name));
    const wrong = await matrix(operations, {}, (cases) => chosen('failpoint cases', cases, caseName, SAMPLE));
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of a deployment that fails and of its undo',
  async () => {
    expect(await matrix([FAILING_DEPLOY], {}, (cases) => cases)).toEqual([]);
  },
  HOUR,
);

// What a plain env passes too is tried with it: here are the places that a database adds.
onlyInFull(
  it,
  WHAT + 'of the life of an env with a schema on the shared server',
  async () => {
    const wrong = await matrix([...lifeOf('plain'), ...lifeOf('shared')], { lanes: 1 }, (cases) =>
      beyond('plain', cases),
    );
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of the life of an env with a database server of its own, by errors and kill -9',
  async () => {
    const wrong = await matrix([...lifeOf('plain'), ...lifeOf('standalone')], { lanes: 1 }, (cases) =>
      beyond('plain', cases).filter(({ mode }) => mode === 'error' || mode === 'kill'),
    );
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of the end of an env whose time is over',
  async () => {
    expect(await matrix([EXPIRY], { env: { BERTH_ENV_SWEEP_INTERVAL_MS: '300' } }, (cases) => cases)).toEqual(
      [],
    );
  },
  HOUR,
);

restartTests();
