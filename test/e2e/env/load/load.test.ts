import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '#dist/src/store/open-store.js';
import {
  connect,
  EnvState,
  ListEnvsRequest,
  operationEnd,
  type BerthClient,
  type Env,
  type EnvEvent,
  type OperationEnd,
} from '../../../../clients/typescript/src/index.js';
import { removeLabelled } from '../../../bench/leftovers.mjs';
import { extent, isFull } from '../../../run/extent.mjs';
import { startDaemon, type TestDaemon } from '../../../support/daemon.js';
import { ownedBy } from '../../../support/docker-cli.js';
import { heldByEnvs } from '../../../support/env/held-on-host.js';
import { SilentLogger } from '../../../support/silent-logger.js';
import { appOf, FAILURES, type AppKind } from './apps.js';
import { PortThief } from './port-thief.js';
import {
  byOperation,
  expectUniquePorts,
  expectWhole,
  identityOf,
  portsLost,
  storyOf,
  tenuresOf,
} from './story.js';
import { removeSharedServer } from '../../../support/env/shared-server.js';

/** What happens to a deployment besides: to its port, its stream, or itself. */
type Twist =
  | { kind: 'none' }
  /** The thief takes its port between claim and start. */
  | { kind: 'robbed' }
  /** Its client goes away after some events, and takes the stream up again. */
  | { kind: 'left'; afterEvents: number }
  /** It is destroyed when this step begins. */
  | { kind: 'destroyed'; atStep: string }
  /** Once it runs: stopped and started; replaced; destroyed. */
  | { kind: 'restarted' }
  | { kind: 'replaced' }
  | { kind: 'removed' };

interface Act {
  app: AppKind;
  twist: Twist;
}

const at = (atStep: string): Twist => ({ kind: 'destroyed', atStep });
const left = (afterEvents: number): Twist => ({ kind: 'left', afterEvents });
const act = (app: AppKind, twist: Twist | Exclude<Twist['kind'], 'left' | 'destroyed'> = 'none'): Act => ({
  app,
  twist: typeof twist === 'string' ? ({ kind: twist } as Twist) : twist,
});

const SAMPLE: readonly Act[] = [
  act('static', 'robbed'),
  act('exits'),
  act('server', left(5)),
  act('static', at('create_containers')),
  act('never_well'),
  act('static', 'restarted'),
  act('no_program'),
  act('static', 'removed'),
];

/** Sixty, each fifth with a database and each round with its destroys at other steps. */
const WHOLE: readonly Act[] = [
  ['claim_port', 3],
  ['create_directory', 7],
  ['copy_app', 9],
  ['create_networks', 12],
  ['start_containers', 15],
  ['wait_ready', 18],
].flatMap(([step, events]) => [
  act('static', 'robbed'),
  act('database', left(events as number)),
  act('exits'),
  act('static', at(step as string)),
  act('server', 'replaced'),
  act('database', at(events === 3 ? 'prepare_database' : 'create_containers')),
  act('never_well', left(events as number)),
  act('static', 'restarted'),
  act(events === 3 || events === 9 ? 'no_image' : events === 7 ? 'exits_later' : 'mute'),
  act('no_program', 'robbed'),
]);

const ACTS = isFull() ? WHOLE : SAMPLE;
const AT_ONCE = isFull() ? 8 : 4;
const PORTS = { first: 17_000, last: 17_059 };
const HOST = '127.0.0.1';

it(
  'deployments at once, with a port thief, failures and destroys in the mix: unique ports, nothing left, all events accounted for',
  { timeout: isFull() ? 600_000 : 60_000 },
  async () => {
    console.log(`${ACTS.length} deployments, ${AT_ONCE} at a time: ${extent()}`);
    const daemon = await startDaemon({
      env: {
        BERTH_POOL_POOLING: 'off',
        BERTH_ENV_PORT_FIRST: String(PORTS.first),
        BERTH_ENV_PORT_LAST: String(PORTS.last),
        BERTH_ENV_SUBNETS: '10.220.0.0/22',
        BERTH_ENV_SHARED_DATABASE_SUBNETS: '10.220.4.0/22',
        BERTH_ENV_SHARED_DATABASE_IMAGE: process.env['BERTH_TEST_MYSQL_IMAGE'] ?? 'mysql:9',
        BERTH_ENV_STOP_GRACE_MS: '1000',
      },
      waitForPool: false,
    });
    const client = connect({ address: daemon.address });
    const thief = new PortThief(PORTS, HOST);
    const run = new LoadRun(client, thief);
    try {
      await run.all(ACTS);
      await thief.stop();
      await run.expectAllAnswer();
      await run.destroyAll();
      await run.expectAccountedFor(ACTS.length);
      expect(await heldByEnvs(daemon)).toEqual({ docker: [], directories: [] });
      expect(await client.env.reconcileEnvs({ apply: false })).toEqual({
        strays: [],
        incomplete: [],
        errors: [],
      });
      if (isFull()) expect((await client.env.getSharedDatabase({})).database?.schemaCount).toBe(0);
      run.print();
      client.close();
      expect(await daemon.stop()).toBe(0);
      await removeSharedServer(daemon.owner);
      expect(await ownedBy(daemon.owner)).toEqual([]);
      expect(await portsInUse(daemon)).toEqual([]);
    } finally {
      await thief.stop();
      client.close();
      await daemon.dispose();
      await removeLabelled(daemon.owner);
    }
  },
);

/** Rows of the port table of a daemon that has stopped. */
async function portsInUse({ stateDir }: TestDaemon): Promise<unknown[]> {
  const store = await openStore({ sqlitePath: join(stateDir, 'berth.db'), logger: new SilentLogger() });
  try {
    return await store.ports.list();
  } finally {
    await store.close();
  }
}

/** What was done and seen, for the checks at the end. */
class LoadRun {
  readonly #envIds = new Set<string>();
  /** What the stream of each operation told, as its client saw it. */
  readonly #told = new Map<string, EnvEvent[]>();
  /** Tokens of the envs that run. */
  readonly #live = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(
    private readonly client: BerthClient,
    private readonly thief: PortThief,
  ) {}

  /** Carries the acts out, as many at a time as may be. */
  async all(acts: readonly Act[]): Promise<void> {
    const waiting = [...acts.entries()];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await this.#act(...next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #act(number: number, { app, twist }: Act): Promise<void> {
    const token = `token-${number}-${app}`;
    const deployment = {
      userId: `user-${number}`,
      appId: app,
      requestId: `load-${number}`,
      files: appOf(app, token),
    };
    const end = await this.#deploy(deployment, twist);
    const reason = FAILURES[app];
    const what = `${number}: ${app}, ${twist.kind}`;
    if (twist.kind === 'destroyed') {
      expect(end.$case, what).toBe('cancelled');
      return;
    }
    if (reason !== undefined) {
      expect(end, what).toMatchObject({ $case: 'failed', value: { error: { reason, undoErrors: [] } } });
      return;
    }
    expect(end, what).toMatchObject({ $case: 'succeeded', value: { env: { state: EnvState.RUNNING } } });
    const env = end.value.env!;
    await this.#expectAnswer(env, token);
    await this.#expectDistinctPorts();
    this.#live.set(env.envId, token);
    if (twist.kind === 'removed') await this.#destroy(env.envId);
    if (twist.kind === 'restarted') await this.#restart(env, token);
    if (twist.kind === 'replaced') {
      const other = `${token}-again`;
      const files = appOf(app, other);
      const again = await this.#operate(
        this.client.deploy({ ...deployment, requestId: `${deployment.requestId}-again`, files }),
      );
      expect(again, what).toMatchObject({ $case: 'succeeded', value: { env: { envId: env.envId } } });
      this.#live.set(env.envId, other);
      await this.#expectAnswer(again.value.env!, other);
    }
  }

  async #deploy(deployment: Parameters<BerthClient['deploy']>[0], twist: Twist): Promise<OperationEnd> {
    if (twist.kind === 'left') return await this.#deployAndLeave(deployment, twist.afterEvents);
    const besides: Promise<unknown>[] = [];
    let robbed: number | undefined;
    const end = await this.#operate(this.client.deploy(deployment), async (event) => {
      const body = event.event;
      if (twist.kind === 'destroyed' && body?.$case === 'stepStarted' && body.value.step === twist.atStep)
        besides.push(this.#destroy(event.envId));
      if (twist.kind === 'robbed' && body?.$case === 'stepCompleted' && body.value.step === 'claim_port') {
        const port = Number(/\d+/.exec(body.value.detail)?.[0]);
        if (robbed === undefined && (await this.thief.take(port))) robbed = port;
      }
    });
    await Promise.all(besides);
    if (twist.kind === 'robbed') {
      expect(robbed, 'the port that was robbed').toBeGreaterThan(0);
      await this.thief.giveBack(robbed!);
      if (end.$case === 'succeeded') expect(end.value.env?.port).not.toBe(robbed);
    }
    return end;
  }

  /** The client goes away; the deployment goes on, and its stream is taken up with the last number that came. */
  async #deployAndLeave(
    deployment: Parameters<BerthClient['deploy']>[0],
    afterEvents: number,
  ): Promise<OperationEnd> {
    const seen: EnvEvent[] = [];
    for await (const event of this.client.deploy(deployment)) {
      seen.push(event);
      if (seen.length === afterEvents || operationEnd(event)) break;
    }
    const { envId, seq: afterSeq, operationId } = seen.at(-1)!;
    const rest = this.client.env.watchEnv({ envId, afterSeq, operationId });
    for await (const { event } of rest) seen.push(event!);
    return this.#ended(seen);
  }

  async #restart(env: Env, token: string): Promise<void> {
    expect((await this.#operate(this.client.stop(env.envId))).$case).toBe('succeeded');
    this.#live.delete(env.envId);
    for (;;) {
      const started = await this.#operate(this.client.start(env.envId));
      if (started.$case === 'succeeded') break;
      // The port of a stopped env is free for anybody; the thief gives it back.
      expect(started).toMatchObject({ $case: 'failed', value: { error: { reason: 'PORT_TAKEN' } } });
    }
    this.#live.set(env.envId, token);
    await this.#expectAnswer(env, token);
  }

  async #destroy(envId: string): Promise<void> {
    this.#live.delete(envId);
    const end = await this.#operate(this.client.destroy(envId));
    expect(end).toMatchObject({ $case: 'succeeded', value: { env: { state: EnvState.DESTROYED } } });
  }

  async #operate(
    events: AsyncIterable<EnvEvent>,
    onEvent: (event: EnvEvent) => Promise<void> = async () => {},
  ): Promise<OperationEnd> {
    const seen: EnvEvent[] = [];
    for await (const event of events) {
      seen.push(event);
      await onEvent(event);
    }
    return this.#ended(seen);
  }

  #ended(seen: EnvEvent[]): OperationEnd {
    const last = seen.at(-1)!;
    const end = operationEnd(last);
    if (end === undefined)
      throw new Error(`a stream ended without a terminal event: ${JSON.stringify(last)}`);
    this.#envIds.add(last.envId);
    this.#told.set(last.operationId, seen);
    const how = end.$case === 'failed' ? `failed: ${end.value.error?.reason}` : end.$case;
    this.#counts.set(how, (this.#counts.get(how) ?? 0) + 1);
    return end;
  }

  async #liveEnvs(): Promise<Env[]> {
    return (await this.client.env.listEnvs(ListEnvsRequest.fromPartial({ pageSize: 500 }))).envs;
  }

  async #expectDistinctPorts(): Promise<void> {
    const ports = (await this.#liveEnvs()).map(({ port }) => port).filter((port) => port > 0);
    expect(new Set(ports).size, `ports ${ports.join(' ')}`).toBe(ports.length);
  }

  async #expectAnswer({ url, envId }: Env, token: string): Promise<void> {
    expect(await (await fetch(url)).text(), `${envId} at ${url}`).toBe(token);
  }

  async expectAllAnswer(): Promise<void> {
    const envs = (await this.#liveEnvs()).filter(({ state }) => state === EnvState.RUNNING);
    expect(envs.map(({ envId }) => envId).sort()).toEqual([...this.#live.keys()].sort());
    await Promise.all(envs.map((env) => this.#expectAnswer(env, this.#live.get(env.envId)!)));
  }

  async destroyAll(): Promise<void> {
    await Promise.all([...this.#live.keys()].map((envId) => this.#destroy(envId)));
    expect(await this.#liveEnvs()).toEqual([]);
  }

  /** Every event of every env is in its place, and whoever read some of them, at once or in pieces, read just these. */
  async expectAccountedFor(deployments: number): Promise<void> {
    expect(this.#envIds.size).toBe(deployments);
    const stories = await Promise.all([...this.#envIds].map((envId) => storyOf(this.client, envId)));
    const operations = new Map(stories.flatMap((story) => [...byOperation(story)]));
    for (const story of stories) expectWhole(story);
    expect([...operations.keys()].sort()).toEqual([...this.#told.keys()].sort());
    for (const [operationId, events] of operations) {
      const told = events.map(identityOf);
      expect(this.#told.get(operationId)!.map(identityOf)).toEqual(told);
      const middle = events[Math.floor(events.length / 2)]!;
      const resumed: string[] = [];
      const { envId, seq: afterSeq } = middle;
      for await (const { event } of this.client.env.watchEnv({ envId, afterSeq, operationId }))
        resumed.push(identityOf(event!));
      expect(resumed).toEqual(told.filter((_, i) => events[i]!.seq > afterSeq));
    }
    expectUniquePorts(stories.flatMap(tenuresOf));
    const robbed = ACTS.filter(({ twist }) => twist.kind === 'robbed').length;
    const lost = stories.reduce((sum, story) => sum + portsLost(story), 0);
    expect(lost).toBeGreaterThanOrEqual(robbed);
    this.#counts.set('events in all', stories.flat().length);
  }

  print(): void {
    const lines = [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `  ${what}: ${count}`);
    console.log(
      `outcomes of ${this.#told.size} operations; the thief took ${this.thief.takings} ports\n${lines.join('\n')}`,
    );
  }
}
