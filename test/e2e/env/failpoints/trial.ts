import { once } from 'node:events';
import type { LogLine } from '../../../support/daemon.js';
import { groups } from './groups.js';
import { bring, type TriedOperation } from './operations.js';
import type { FailpointWorld } from './world.js';

export interface Passing {
  name: string;
  nth: number;
}

export const MODES = ['error', 'lost', 'delay', 'kill', 'kill_after'] as const;
export type Mode = (typeof MODES)[number];

export interface Case {
  operation: TriedOperation;
  passing: Passing;
  mode: Mode;
}

export interface Outcome {
  case: Case;
  /** For the table. */
  text: string;
  /** What did not hold; empty: all is well. */
  wrong: string[];
}

/** The outcome of a case whose place was not passed. */
export const NOT_PASSED = 'not passed this time';

export function caseName({ operation, passing, mode }: Case): string {
  return `${operation.app} ${operation.name}: ${pointName(passing)} ${mode}`;
}

export function pointName({ name, nth }: Passing): string {
  return nth === 1 ? name : `${name}@${nth}`;
}

/** A call that only reads has one instant to die at, and an answer that is lost is an error. */
const READS = /^docker\.(inspect|list|version|info|container|stream)/;

export const KINDS = ['store', 'docker, reading', 'docker, changing', 'sql'] as const;

/** What sort of place it is, for the summary. */
export function kindOf({ name }: Passing): (typeof KINDS)[number] {
  if (READS.test(name)) return 'docker, reading';
  if (name.startsWith('docker.')) return 'docker, changing';
  return name.startsWith('sql(') ? 'sql' : 'store';
}

export function modesOf({ name }: Passing): readonly Mode[] {
  return READS.test(name) ? ['error', 'delay', 'kill'] : MODES;
}

/**
 * Runs an operation once, undisturbed, and says where it came by: whatever a new version of Berth calls is in here by
 * itself.
 */
export async function discover(world: FailpointWorld, operation: TriedOperation): Promise<Passing[]> {
  const envId = await bring(world, operation);
  world.disarm();
  const logged = world.mark();
  const seen = new Set(world.daemon.log);
  const { text } = await operation.run(world, envId);
  if (text !== operation.normal) throw new Error(`${operation.name} ended with: ${text}`);
  const over = await world.daemon.logged((line) => !seen.has(line) && operation.over.test(line.msg ?? ''));
  const lines = logged();
  const passings = lines
    .slice(0, lines.indexOf(over))
    .filter((line) => line.event === 'failpoint_passed')
    .map((line) => ({ name: String(line['name']), nth: Number(line['nth']) }))
    .filter(({ name, nth }) => nth === 1 || !/store\.(leases|saveActivities)/.test(name));
  return withoutRepeatedLooks(passings, operation.app === 'standalone' ? HEALTH_CHECK : undefined);
}

/** What is run in the containers of an env with a server of its own; on the shared one, statements are. */
const HEALTH_CHECK = 'docker.runInContainer';

/**
 * Who waits looks again and again, and finds all as it was: as long as nothing is changed, the first look, the second and
 * the last stand for all of their name.
 * @param look changes nothing, as what only reads
 */
function withoutRepeatedLooks(passings: readonly Passing[], look?: string): Passing[] {
  let changes = 0;
  const isLook = (name: string): boolean => READS.test(name) || name === look;
  const stretches = groups(passings, ({ name }) => `${isLook(name) ? changes : ++changes} ${name}`);
  const kept = new Set(
    [...stretches.values()].flatMap((alike) => [...alike.slice(0, 2), ...alike.slice(-1)]),
  );
  return passings.filter((passing) => kept.has(passing));
}

/** One case: disturbs the operation at one place, lets berthd recover, checks, and does the operation again. */
export async function attempt(world: FailpointWorld, tried: Case): Promise<Outcome> {
  const { operation, passing, mode } = tried;
  const envId = await bring(world, operation);
  const logged = world.mark();
  const action = mode === 'delay' ? 'delay(300)' : mode;
  world.arm(`${passing.name}=${action}@${passing.nth}`);
  const kills = mode === 'kill' || mode === 'kill_after';
  const ended = await operation.run(world, envId);
  const struck = kills ? await died(world) : await wasStruck(world, logged);
  const wrong: string[] = [];
  if (!struck) {
    world.disarm();
    // The time between two looks differs from run to run, and with it how often some calls are made.
    return { case: tried, text: NOT_PASSED, wrong: [] };
  }
  if (kills) await world.revive();
  if (operation.name === 'expire' && !ended.ok && world.env()) await world.gone(envId);
  await world.settle();
  const env = world.env();
  const settles = kills ? (operation.settlesKilled ?? operation.settles) : operation.settles;
  if (!settles.includes(env?.state ?? '')) wrong.push(`the env is ${env?.state ?? 'gone'}`);
  if (mode === 'delay' && ended.text !== operation.normal) wrong.push(`with a delay it ${ended.text}`);
  wrong.push(...(await world.violations()));
  const again = await repeated(world, operation, env?.id ?? '');
  if (again !== undefined) wrong.push(again, ...(await world.violations()));
  const became = kills ? 'booted, ' : `${ended.text}; `;
  return { case: tried, text: `${became}${env?.state ?? 'nothing left'}`, wrong };
}

/** Done again, it does what it does. @returns what is wrong with it */
async function repeated(
  world: FailpointWorld,
  operation: TriedOperation,
  envId: string,
): Promise<string | undefined> {
  if (operation.name === 'expire') return undefined;
  if (envId === '' && operation.from !== 'nothing') return undefined;
  const { text } = await operation.run(world, envId);
  return text === operation.normal ? undefined : `done again, it ${text}`;
}

async function wasStruck(world: FailpointWorld, logged: () => LogLine[]): Promise<boolean> {
  await world.disarmed();
  return logged().some((line) => line.event === 'failpoint_struck');
}

/** A call may break off a moment before its berthd is seen to be gone: one that still answers lives. */
async function died({ client, daemon: { process: child } }: FailpointWorld): Promise<boolean> {
  const lives = await client.env.getSharedDatabase({}).then(
    () => true,
    () => false,
  );
  if (lives) return false;
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return true;
}
