import { newId } from '../../ids.js';
import { isBerthError, messageOf } from '../../errors.js';
import type { ActiveOperations } from '../active-operations.js';
import type { EnvServices } from '../env-services.js';
import type { OperationHandle } from '../event-log.js';
import type { Env, EnvEventBody } from '../model.js';
import { keyText } from '../requests.js';
import { isAtRest } from '../state-refusal.js';
import type { EnvPatch } from '../store.js';
import type { ActivityLog } from './activity-log.js';
import { endsOf, type End } from './ends.js';
import { spanText } from './span.js';
import type { TrafficMeters } from './traffic.js';

/** A lease outlives this many rounds that do not come. */
const LEASE_ROUNDS = 3;
const LEAST_LEASE_MS = 5_000;
/** Envs looked at at once. */
const PARALLEL = 8;

export interface SweeperParts {
  activities: ActivityLog;
  traffic: TrafficMeters;
  /** Begins to destroy an env whose time is over, if it is so still. @throws ENV_STATE when it is not, or something is under way */
  expire(env: Env, still: (env: Env) => boolean): Promise<OperationHandle>;
  /** Sees to it that Docker's events come. */
  watch(): Promise<void>;
  /** Looks at the disk use of envs. */
  measure(envs: readonly Env[]): Promise<void>;
}

/**
 * Comes round on a timer: writes down what envs were used for, looks for traffic, warns of what ends soon and ends what is
 * over. It looks at the envs of this daemon's owner and host only, and while it has their lease: where two daemons share
 * both (one that is stopping and its successor), one of them sweeps. An env is never ended without a warning in its event
 * stream before; where the time to warn was missed, the warning comes right before the end.
 */
export class Sweeper {
  readonly #holder = newId('sweep');
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly parts: SweeperParts,
  ) {}

  /** Sweeps from now on, until `stop`. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#next();
  }

  /** Ends the sweeping; what was noted is written. */
  async stop(): Promise<void> {
    const ran = !this.#stopped;
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    if (!ran) return;
    const { leases, logger } = this.services;
    try {
      await this.parts.activities.flush();
      await leases.release(this.#lease, this.#holder);
    } catch (error) {
      logger.warn({ err: error }, `the last activities of envs could not be written: ${messageOf(error)}`);
    }
  }

  /** One round. @returns the operations that it began */
  async sweep(): Promise<OperationHandle[]> {
    const { config, leases, store } = this.services;
    const leaseMs = Math.max(config.sweepIntervalMs * LEASE_ROUNDS, LEAST_LEASE_MS);
    if (!(await leases.take(this.#lease, this.#holder, leaseMs))) return [];
    await this.parts.watch();
    const mine = (await store.listLive()).filter((env) => this.#isMine(env));
    this.parts.traffic.keep(new Set(mine.map((env) => env.id)));
    await inParallel(mine, (env) => this.#sample(env));
    await this.parts.activities.flush();
    const begun: OperationHandle[] = [];
    for (const env of mine) {
      const handle = await this.#look(env);
      if (handle) begun.push(handle);
    }
    await this.parts.measure(mine);
    return begun;
  }

  get #lease(): string {
    const { owner, host } = this.services.config;
    return `env-sweep/${owner}@${host}`;
  }

  #isMine(env: Env): boolean {
    const { owner, host } = this.services.config;
    return env.owner === owner && env.host === host;
  }

  #next(): void {
    const { config, logger } = this.services;
    this.#timer = setTimeout(() => {
      this.#round = this.sweep()
        .then(() => {})
        .catch((error: unknown) => {
          logger.warn({ err: error }, `the time of envs could not be looked at: ${messageOf(error)}`);
        })
        .finally(() => {
          if (!this.#stopped) this.#next();
        });
    }, config.sweepIntervalMs).unref();
  }

  async #sample(env: Env): Promise<void> {
    const { activities, traffic } = this.parts;
    const [container] = env.containerIds;
    if (this.active.find(env.id)) return traffic.forget(env.id);
    if (env.state !== 'running' || env.url === '' || container === undefined) return;
    const { engine, logger } = this.services;
    try {
      const count = await engine.connections(container);
      // Where nobody can tell, an env counts as used: its time to live still ends it.
      const seen = count ? traffic.sample(env.id, count) : 'traffic cannot be measured here';
      if (seen !== undefined) activities.note(env.tenant, env.id, 'traffic', seen);
    } catch (error) {
      if (!isBerthError(error)) throw error;
      logger.debug({ envId: env.id, err: error }, 'the traffic of an env could not be looked at');
    }
  }

  /** Warns of the ends of an env, or ends it. */
  async #look(listed: Env): Promise<OperationHandle | undefined> {
    const { clock, config, store, locks, logger } = this.services;
    if (!isAtRest(listed) || this.active.find(listed.id)) return undefined;
    const due = (env: Env): End[] =>
      endsOf(this.parts.activities.over(env), config.warnBeforeMs).filter(
        (end) =>
          end.warnFrom <= clock.now() && !(end.cause === 'idle' && this.parts.traffic.isUndecided(env.id)),
      );
    const isOver = (env: Env): boolean => due(env).some((end) => end.at <= clock.now());
    if (due(listed).length === 0) return undefined;
    try {
      const over = await locks.run(keyText(listed), async () => {
        // What was listed may be old: an extension, or a use, may have come since.
        const env = await store.get(listed.tenant, listed.id);
        if (!env || !isAtRest(env) || this.active.find(env.id)) return undefined;
        const ends = due(env);
        const unwarned = ends.filter((end) => !end.warned);
        if (unwarned.length > 0) await this.#warn(env, unwarned);
        return isOver(env) ? env : undefined;
      });
      return over && (await this.parts.expire(over, isOver));
    } catch (error) {
      if (!isBerthError(error)) throw error;
      // Somebody was quicker: an extension, a use, another operation.
      if (error.reason === 'ENV_STATE') return undefined;
      logger.warn({ envId: listed.id, err: error }, `an env could not be ended: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #warn(env: Env, ends: readonly End[]): Promise<void> {
    const now = this.services.clock.now();
    const patch: EnvPatch = {};
    for (const { cause, at } of ends) {
      if (cause === 'expiry') patch.expiryWarnedFor = at;
      else patch.idleWarnedFor = at;
    }
    const events = ends.map(({ cause, at }): EnvEventBody => {
      const when = at <= now ? 'now' : `in ${spanText(at - now)}`;
      return cause === 'expiry'
        ? {
            type: 'warning',
            code: 'EXPIRES_SOON',
            message: `its time to live is over ${when}, and it is destroyed then; ExtendEnv gives it more`,
            effectiveAt: at,
          }
        : {
            type: 'warning',
            code: 'IDLE_SOON',
            message: `nobody used it for ${spanText(now - (env.lastActivity?.at ?? now))}, so it is destroyed ${when}; any use, or ExtendEnv, keeps it`,
            effectiveAt: at,
          };
    });
    await this.services.events.commit({
      env: { id: env.id, patch },
      events: events.map((body) => ({ envId: env.id, operationId: '', body })),
    });
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
