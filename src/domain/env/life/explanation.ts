import { access } from 'node:fs/promises';
import { isBerthError, messageOf } from '../../errors.js';
import type { ErrorReason } from '../../error-reasons.js';
import type { ActiveOperation, ActiveOperations } from '../active-operations.js';
import type { ContainerUse, ProjectContainer } from '../engine.js';
import type { EnvServices } from '../env-services.js';
import { ENDED_STATES, type Env, type EnvActivity, type UndoneThing } from '../model.js';
import type { UndoRetries } from '../undo-retries.js';
import { endsOf } from './ends.js';
import { spanText } from './span.js';

/** Why an env is alive, when it goes, what it holds. Times are milliseconds since the epoch. */
export interface Explanation {
  /** A sentence; for one that is gone: why it went. */
  aliveBecause: string;
  lastActivity: EnvActivity | null;
  lastExtension: EnvActivity | null;
  goesAt: number | undefined;
  goesBecause: string;
  blockers: Blocker[];
  held: Held[];
  pendingUndos: PendingUndo[];
  use: EnvUse | undefined;
}

export interface Blocker {
  reason: ErrorReason;
  message: string;
  since: number | undefined;
}

export interface Held {
  kind: UndoneThing['kind'] | 'image' | 'subnet';
  name: string;
  id: string;
  state: string;
}

export interface PendingUndo {
  step: string;
  message: string;
  /** When it is tried again. */
  retryAt: number;
  left: UndoneThing[];
}

/** Of all containers together, since the app's was started. */
export interface EnvUse {
  since: number;
  memoryBytes: number;
  /** CPUs used right now. */
  cpus: number;
  cpuSeconds: number;
  reservedCpus: number;
  reservedMemoryBytes: number;
}

/** Answers ExplainEnv from the rows and a live look; without Docker it says what it can. */
export class Explanations {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly retries: UndoRetries,
  ) {}

  /** @param env as `get` answers it */
  async explain(env: Env, signal: AbortSignal): Promise<Explanation> {
    const gone = ENDED_STATES.includes(env.state);
    const look = gone ? { containers: [], problem: '' } : await this.#containers(env, signal);
    const pendingUndos = await this.#pendingUndos(env);
    const active = this.active.find(env.id);
    const { clock, config } = this.services;
    const [end] = gone || active ? [] : endsOf(env, config.warnBeforeMs);
    return {
      aliveBecause: gone ? whyGone(env) : whyAlive(env, clock.now(), active),
      lastActivity: env.lastActivity,
      lastExtension: env.lastExtension,
      goesAt: end?.at,
      goesBecause: end ? whyThen(env, end.cause) : active ? 'its operation has to end first' : '',
      blockers: blockersOf(env, look, active, pendingUndos, this.services.clock.now()),
      held: gone ? [] : await this.#held(env, look.containers),
      pendingUndos,
      use: await this.#use(look.containers, signal),
    };
  }

  async #containers(env: Env, signal: AbortSignal): Promise<Look> {
    try {
      return { containers: await this.services.engine.inspect(env.id, signal), problem: '' };
    } catch (error) {
      if (!isBerthError(error, 'DOCKER_UNAVAILABLE')) throw error;
      return { containers: [], problem: messageOf(error) };
    }
  }

  async #pendingUndos(env: Env): Promise<PendingUndo[]> {
    const { store } = this.services;
    const pending: PendingUndo[] = [];
    for (const operation of await store.listUnfinished()) {
      if (operation.envId !== env.id || operation.state !== 'undo_incomplete') continue;
      const messages = operation.error?.undoErrors ?? [];
      const retryAt = this.retries.timeOf(operation.id);
      const failed = (await store.checkpoints(operation.id)).filter(({ state }) => state === 'undo_failed');
      for (const { step, data } of failed) {
        const own = messages.find((message) => message.startsWith(`${step}: `));
        pending.push({
          step,
          message: own?.slice(step.length + 2) ?? operation.error?.message ?? '',
          retryAt,
          left: thingsIn(data),
        });
      }
      if (failed.length > 0) continue;
      const { step = '', message = '' } = operation.error ?? {};
      pending.push({ step, message: messages.join('; ') || message, retryAt, left: [] });
    }
    return pending;
  }

  async #held(env: Env, containers: readonly ProjectContainer[]): Promise<Held[]> {
    const { engine, subnets, logger } = this.services;
    const held: Held[] = containers.map(({ name, id, state }) => ({ kind: 'container', name, id, state }));
    for (const image of new Set(containers.map((container) => container.image)))
      held.push(heldThing('image', image));
    try {
      for (const { kind, name, id, envId } of await engine.listOwned()) {
        if (envId === env.id && kind !== 'container')
          held.push({ ...heldThing(kind, name), id: id === name ? '' : id });
      }
    } catch (error) {
      logger.debug({ envId: env.id, err: error }, 'what an env holds in Docker could not be listed');
    }
    const present = await access(env.directory).then(
      () => true,
      () => false,
    );
    if (present) held.push(heldThing('directory', env.directory));
    if (env.port !== null) {
      held.push(heldThing('port', String(env.port)), heldThing('subnet', subnets.forPort(env.port)));
    }
    const { schema, user } = env.database?.data ?? {};
    if (schema !== undefined) held.push(heldThing('schema', schema));
    if (user !== undefined) held.push(heldThing('user', user));
    return held;
  }

  async #use(containers: readonly ProjectContainer[], signal: AbortSignal): Promise<EnvUse | undefined> {
    const running = containers.filter((container) => container.state === 'running');
    if (running.length === 0) return undefined;
    const used = await Promise.all(
      running.map((container) => this.services.engine.use(container.id, signal).catch(() => undefined)),
    );
    const sum = (pick: (use: ContainerUse) => number): number =>
      used.reduce((total, use) => total + (use ? pick(use) : 0), 0);
    return {
      since: Math.min(...running.map((container) => container.startedAt)),
      memoryBytes: sum((use) => use.memoryBytes),
      cpus: sum((use) => use.cpus),
      cpuSeconds: sum((use) => use.cpuSeconds),
      reservedCpus: running.reduce((total, { cpus }) => total + cpus, 0),
      reservedMemoryBytes: running.reduce((total, { memoryBytes }) => total + memoryBytes, 0),
    };
  }
}

interface Look {
  containers: ProjectContainer[];
  /** Why Docker could not be asked. */
  problem: string;
}

function heldThing(kind: Held['kind'], name: string): Held {
  return { kind, name, id: '', state: '' };
}

function whyAlive(env: Env, now: number, active: ActiveOperation | undefined): string {
  if (active?.queued) return `its ${active.run.plan.kind} waits for a place`;
  if (active) return `its ${active.run.plan.kind} is under way`;
  const { lastActivity, expiresAt } = env;
  const use = lastActivity
    ? `it was last used ${spanText(now - lastActivity.at)} ago (${lastActivity.detail || lastActivity.kind})`
    : 'no use of it is known';
  const left =
    expiresAt === null ? 'has no end to its time' : `has ${spanText(expiresAt - now)} left to live`;
  return `it is ${env.state}; ${use}, and it ${left}`;
}

function whyGone(env: Env): string {
  return env.stateReason === '' ? `it is ${env.state}` : `it is ${env.state}: ${env.stateReason}`;
}

export function whyThen(env: Env, cause: 'expiry' | 'idle'): string {
  return cause === 'expiry'
    ? 'its time to live is over'
    : `nobody used it for ${spanText(env.idleTimeoutMs)}`;
}

function blockersOf(
  env: Env,
  { containers, problem }: Look,
  active: ActiveOperation | undefined,
  pending: readonly PendingUndo[],
  now: number,
): Blocker[] {
  const blockers: Blocker[] = [];
  const add = (reason: ErrorReason, message: string, since?: number): void => {
    blockers.push({ reason, message, since });
  };
  if (active) {
    const { kind } = active.run.plan;
    const since = now - Math.round(performance.now() - active.run.beganAt);
    add('ENV_STATE', active.queued ? `its ${kind} waits for a place` : `its ${kind} is under way`, since);
  }
  if (problem !== '') add('DOCKER_UNAVAILABLE', problem);
  if (env.state === 'broken') add('ENV_STATE', `${env.stateReason || 'it is broken'}`, env.updatedAt);
  if (env.state === 'running' && !active && problem === '') {
    if (containers.length < env.containerIds.length) {
      add('ENV_CONTAINER_MISSING', 'a container is gone: reset it, or deploy its app anew');
    }
    const ended = containers.find((container) => container.state !== 'running');
    if (ended) add('APP_EXITED', env.healthMessage || `${ended.service} is ${ended.state}`, env.updatedAt);
    else if (env.health === 'unhealthy')
      add('APP_NOT_READY', env.healthMessage || 'it is not healthy', env.updatedAt);
  }
  for (const { step, message } of pending)
    add('UNDO_INCOMPLETE', `undo of ${step}: ${message}; it is tried again`);
  return blockers;
}

/** What a checkpoint recorded of things made. */
function thingsIn(data: Record<string, unknown>): UndoneThing[] {
  const { made, containers, port } = data;
  const things: UndoneThing[] = [];
  if (Array.isArray(made)) things.push(...(made as UndoneThing[]));
  if (Array.isArray(containers)) {
    for (const { name } of containers as { name: string }[]) things.push({ kind: 'container', name });
  }
  if (typeof port === 'number') things.push({ kind: 'port', name: String(port) });
  return things;
}
