import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Death } from '../../support/env/dying-store.js';
import { EnvHarness } from '../../support/env/env-harness.js';
import type { EnvOperations } from '../../../src/domain/env/operations.js';

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const VOLUMES = { runtimeType: 'node', volumes: [{ containerPath: '/data', name: 'data' }] };

/** What is there before, what is under way when the daemon dies, and the states that recovery may end in. */
const SCENARIOS = {
  'first deploy': {
    before: async () => {},
    during: (operations: EnvOperations) => operations.deploy(world.request({ metadata: VOLUMES })),
    ends: ['failed', 'running'],
  },
  'failing deploy': {
    before: async () => {},
    during: (operations: EnvOperations) =>
      operations.deploy(world.request({ metadata: VOLUMES, environment: { FAKE: 'exit' } })),
    ends: ['failed'],
  },
  replace: {
    before: async () => void (await world.deploy({ metadata: VOLUMES })),
    during: (operations: EnvOperations) =>
      operations.deploy(world.request({ metadata: VOLUMES, environment: { MORE: '1' } })),
    ends: ['broken', 'running'],
  },
  'start by deploy': {
    before: async () => void (await world.stop((await world.deploy()).env.id)),
    during: (operations: EnvOperations) => operations.deploy(world.request()),
    ends: ['running', 'stopped'],
  },
  stop: {
    before: async () => void (await world.deploy()),
    during: (operations: EnvOperations) => operations.stop(only()),
    ends: ['stopped', 'running'],
  },
  start: {
    before: async () => void (await world.stop((await world.deploy()).env.id)),
    during: (operations: EnvOperations) => operations.start(only()),
    ends: ['running', 'stopped'],
  },
  reset: {
    before: async () => void (await world.deploy({ metadata: VOLUMES })),
    during: (operations: EnvOperations) => operations.reset(only()),
    ends: ['running', 'broken'],
  },
  destroy: {
    before: async () => void (await world.deploy({ metadata: VOLUMES })),
    during: (operations: EnvOperations) => operations.destroy(only()),
    ends: ['destroyed', 'running'],
  },
} as const;

type Scenario = keyof typeof SCENARIOS;

function only() {
  const [env] = world.store.envs.values();
  return { tenant: 'default', envId: env?.id ?? '', requestId: '' };
}

/** Runs a scenario until its daemon has died or the operation has ended; resolves when nothing moves any more. */
async function runUntilDeath(scenario: Scenario, death: Death): Promise<void> {
  const { before, during } = SCENARIOS[scenario];
  await before();
  const dying = world.restart(death.over(world.store));
  await during(dying).catch((error: unknown) => {
    if (!death.dead) throw error;
  });
  await dying.close(30_000);
  if (death.dead) world.engine.disconnect();
}

async function expectRecovered(scenario: Scenario): Promise<void> {
  const recovered = world.restart();
  await recovered.recover();
  await world.expectConsistent();
  const { ends } = SCENARIOS[scenario];
  for (const env of world.store.envs.values()) expect(ends).toContain(env.state);
  const again = await recovered.recover();
  expect(again).toEqual({ ended: [], incomplete: [] });
  const report = await recovered.reconcile({ dryRun: true });
  expect(report).toEqual({
    things: [],
    ports: [],
    directories: [],
    databases: [],
    incomplete: [],
    errors: [],
  });
}

/** Whatever it came to, it can be used and removed. */
async function expectUsable(): Promise<void> {
  const { env, last } = await world.deploy();
  expect(last).toMatchObject({ type: 'succeeded' });
  await world.destroy(env.id);
  await world.expectNothingLeft();
}

/** A fresh world for each instant of death, until there are no more. */
async function atEveryInstant(scenario: Scenario, makeDeath: (n: number) => Death): Promise<number> {
  for (let n = 1; ; n++) {
    const death = makeDeath(n);
    await runUntilDeath(scenario, death);
    if (!death.dead) return n - 1;
    await expectRecovered(scenario);
    if (n % 5 === 0) await expectUsable();
    await world.close();
    world = await EnvHarness.open();
  }
}

describe.each(Object.keys(SCENARIOS) as Scenario[])('berthd dies during: %s', (scenario) => {
  it.each(['before', 'after'] as const)(
    'at each commit, %s it',
    async (when) => {
      const instants = await atEveryInstant(scenario, (n) => new Death(n, when));
      expect(instants).toBeGreaterThan(3);
    },
    60_000,
  );

  it.each(['before', 'after'] as const)(
    'at each call of Docker, %s it',
    async (when) => {
      const instants = await atEveryInstant(scenario, (n) => {
        const death = new Death(Number.POSITIVE_INFINITY, 'before');
        let calls = 0;
        // Counted from the scenario's own beginning: the world before it is made by a daemon that lives.
        const strike = () => {
          if (world.operations !== healthy && !death.dead && ++calls === n) death.strike();
        };
        const healthy = world.operations;
        world.engine[when] = strike;
        return death;
      });
      expect(instants).toBeGreaterThan(0);
    },
    60_000,
  );
});

describe('recovery', () => {
  it('tells in the event log that it took the operation up', async () => {
    await runUntilDeath('first deploy', new Death(7, 'after'));
    await world.restart().recover();
    const [log] = world.store.log.values();
    const bodies = (log ?? []).map((event) => event.body);
    expect(bodies).toContainEqual(expect.objectContaining({ type: 'operation_started', recovered: true }));
    expect(bodies.at(-1)).toMatchObject({
      type: 'failed',
      error: {
        reason: 'OPERATION_ABORTED',
        message: expect.stringContaining('berthd ended during the deploy'),
      },
    });
  });

  it('keeps the first cause of a failure that it finds being undone', async () => {
    // The commit of step_failed is the last before the undo.
    await runUntilDeath('failing deploy', new Death(11, 'after'));
    const [operation] = world.store.operations.values();
    expect(operation).toMatchObject({ state: 'undoing', error: { reason: 'APP_EXITED' } });
    await world.restart().recover();
    const [log] = world.store.log.values();
    expect(log?.at(-1)?.body).toMatchObject({
      type: 'failed',
      error: { reason: 'APP_EXITED', step: 'wait_ready' },
    });
    await world.expectNothingLeft();
  });

  it('waits for Docker, and runs when it is back', async () => {
    const { BerthError } = await import('../../../src/domain/errors.js');
    await runUntilDeath('first deploy', new Death(9, 'after'));
    const operations = world.restart();
    world.engine.before = () => {
      throw new BerthError('DOCKER_UNAVAILABLE', 'no Docker');
    };
    await expect(operations.recover()).rejects.toMatchObject({ reason: 'DOCKER_UNAVAILABLE' });
    const envId = only().envId;
    await expect(operations.destroy(only())).rejects.toMatchObject({ reason: 'DOCKER_UNAVAILABLE' });
    expect(world.store.envs.get(envId)?.state).toBe('deploying');
    world.engine.before = () => {};
    expect((await operations.recover()).ended).toMatchObject([{ envId, state: 'failed' }]);
    await world.expectNothingLeft();
    world.expectGoodLogs();
  });

  it('is done by the next operation on the env, when that comes first', async () => {
    await runUntilDeath('first deploy', new Death(9, 'after'));
    world.restart();
    const { last, env } = await world.deploy();
    expect(last).toMatchObject({ type: 'succeeded', outcome: 'deployed' });
    expect(env.id).not.toBe(only().envId);
    await world.expectConsistent();
  });

  it("leaves another daemon's operations alone", async () => {
    await runUntilDeath('first deploy', new Death(9, 'after'));
    world.config = { ...world.config, owner: 'another' };
    const operations = world.restart();
    expect(await operations.recover()).toEqual({ ended: [], incomplete: [] });
    expect((await operations.reconcile({ dryRun: false })).directories).toEqual([]);
    await expect(operations.deploy(world.request())).rejects.toMatchObject({ reason: 'ENV_STATE' });
  });
});
