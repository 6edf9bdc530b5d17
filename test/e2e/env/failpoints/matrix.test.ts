import { afterAll, expect, it } from 'vitest';
import { chosen, isFull, onlyInFull } from '../../../run/extent.mjs';
import {
  DEPLOY_STOPPED,
  EXPIRY,
  FAILING_DEPLOY,
  FIRST_SHARED_DEPLOY,
  lifeOf,
  MAKE_SERVER,
  replaceOf,
  type TriedOperation,
} from './operations.js';
import { publish } from './publish.js';
import { record, recorded } from './record.js';
import { restartTests } from './restarts.js';
import { checkSelection, selected } from './selection.js';
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
afterAll(() => {
  publish(outcomes);
  checkSelection(outcomes.length);
});

interface MatrixSettings extends WorldOptions {
  /** How many worlds, of the lanes from `lane` on. */
  lanes?: number;
}

/** All cases of the operations, in the worlds that are there; what one of them finds wrong is told at the end. */
async function matrix(
  operations: readonly TriedOperation[],
  { lane, lanes = LANES, ...settings }: MatrixSettings,
  choose: (cases: Case[]) => Case[] = (cases) => cases,
): Promise<string[]> {
  const wrong: string[] = [];
  const first = await FailpointWorld.open({ lane, ...settings });
  const worlds = [first];
  try {
    const cases: Case[] = [];
    for (const operation of operations) {
      const passings = await discover(first, operation);
      expect(passings.length, operation.name).toBeGreaterThan(3);
      cases.push(
        ...passings.flatMap((passing) => modesOf(passing).map((mode) => ({ operation, passing, mode }))),
      );
    }
    const queue: Case[] = [];
    for (const tried of selected(choose(cases))) {
      const known = recorded(tried);
      if (known) outcomes.push(known);
      else queue.push(tried);
    }
    const more = isFull() ? Math.min(lanes, queue.length) : 1;
    for (let next = 1; next < more; next++)
      worlds.push(await FailpointWorld.open({ lane: lane + next, ...settings }));
    await Promise.all(
      worlds.map(async (world) => {
        for (let tried = queue.shift(); tried; tried = queue.shift()) {
          const outcome = await attempt(world, tried).catch(async (error: unknown) => {
            // Whatever state it is in: the next case begins with a berthd that answers.
            await world.revive();
            return { case: tried!, text: 'did not come to its end', wrong: [String(error)] };
          });
          outcomes.push(outcome);
          record(outcome);
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

/** The cases of all other operations, at places that none of these of the same kind passes. */
function beyond(known: readonly TriedOperation[], cases: readonly Case[]): Case[] {
  const placeOf = ({ operation, passing }: Case): string => `${operation.kind}: ${pointName(passing)}`;
  const places = new Set(cases.filter(({ operation }) => known.includes(operation)).map(placeOf));
  return cases.filter((tried) => !known.includes(tried.operation) && !places.has(placeOf(tried)));
}

const WHAT = 'berthd fails, waits or is killed at each commit, Docker call and SQL call ';

it(
  WHAT + 'of the life of a plain env',
  async () => {
    const operations = lifeOf('plain').filter(({ name }) => isFull() || SAMPLED_OPERATIONS.includes(name));
    const wrong = await matrix(operations, { lane: 0 }, (cases) =>
      chosen('failpoint cases', cases, caseName, SAMPLE),
    );
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of a deployment that fails and of its undo',
  async () => {
    expect(await matrix([FAILING_DEPLOY], { lane: 3 })).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of a deployment over a stopped env and over one of other content',
  async () => {
    // In this order: over what was replaced, the first would be the second.
    expect(await matrix([DEPLOY_STOPPED, replaceOf('plain')], { lane: 10 })).toEqual([]);
  },
  HOUR,
);

// What a plain env passes too is tried with it: here are the places that a database adds.
onlyInFull(
  it,
  WHAT + 'of the life of an env with a schema on the shared server',
  async () => {
    const plain = [...lifeOf('plain'), replaceOf('plain')];
    const shared = [...lifeOf('shared'), replaceOf('shared')];
    const wrong = await matrix([...plain, ...shared], { lane: 13, lanes: 2 }, (cases) =>
      beyond(plain, cases),
    );
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of the making of the shared server',
  async () => {
    const later = lifeOf('shared').slice(0, 1);
    const operations = [...later, MAKE_SERVER, FIRST_SHARED_DEPLOY];
    const wrong = await matrix(operations, { lane: 15, lanes: 2 }, (cases) => beyond(later, cases));
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of the life of an env with a database server of its own',
  async () => {
    const plain = [...lifeOf('plain'), replaceOf('plain')];
    const standalone = [...lifeOf('standalone'), replaceOf('standalone')];
    const wrong = await matrix([...plain, ...standalone], { lane: 17, lanes: 2 }, (cases) =>
      beyond(plain, cases),
    );
    expect(wrong).toEqual([]);
  },
  HOUR,
);

onlyInFull(
  it,
  WHAT + 'of the end of an env whose time is over',
  async () => {
    expect(await matrix([EXPIRY], { lane: 20, env: { BERTH_ENV_SWEEP_INTERVAL_MS: '300' } })).toEqual([]);
  },
  HOUR,
);

restartTests();
