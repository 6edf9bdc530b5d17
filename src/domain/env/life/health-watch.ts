import { isBerthError, messageOf } from '../../errors.js';
import type { ActiveOperation, ActiveOperations } from '../active-operations.js';
import type { ProjectContainer, ProjectEvent } from '../engine.js';
import type { EnvServices } from '../env-services.js';
import type { Env, EnvEventBody, EnvState } from '../model.js';
import { isAtRest } from '../state-refusal.js';
import { changeAtRest, type ChangeOf } from './change-at-rest.js';
import { healthChange, healthOf, howItEnded } from './health.js';

/** What came before a look at an env. */
interface Circumstances {
  /** berthd or Docker was away: what ended meanwhile is started again where it should run. */
  returned?: boolean;
  /** A stop that failed: what of the env runs on cannot be stopped. */
  stopFailed?: boolean;
}

/** After a container ended: what restarts it, or takes Docker down with it, has done so by then. */
const SETTLE_MS = 2_000;
/** A container that ends again and again is told of this often at most. */
const WARN_AGAIN_MS = 10_000;
const REPAIR = 'reset it, or deploy its app anew';

/**
 * Follows Docker's events of envs at rest: a health that turns bad, an app that ends and is started again, containers that
 * somebody else stops, starts or removes. The row and the event stream say it within seconds. While an operation is under
 * way its own watch looks.
 */
export class HealthWatch {
  /** The last thing that is being done for an env: events of one env are taken one after the other. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #warnedAt = new Map<string, number>();
  readonly #outOfMemory = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Operations after which an env is looked at, and whether Docker was away during them. */
  readonly #awaited = new WeakMap<ActiveOperation, boolean>();
  #closed = false;

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly begin: {
      /** Starts what is to run again. */
      startAgain: (env: Env) => Promise<unknown>;
      /** Stops what runs on of an env that has stopped. */
      stop: (env: Env, reason: string) => Promise<unknown>;
    },
  ) {}

  take(envId: string, event: ProjectEvent): void {
    if (event.action === 'exec_start' || event.action === 'exec_die') return;
    if (event.action === 'oom') this.#outOfMemory.add(event.containerId);
    const active = this.active.find(envId);
    if (!active) return this.#enqueue(envId, () => this.#handle(envId, event));
    // The operation may have looked for the last time already.
    if (event.action === 'die' || event.action === 'destroy') this.#lookAfter(active, envId, false);
  }

  /**
   * Brings the rows to what is there after berthd, Docker or the host were away: what should run is started again as its
   * restart policy says, and what ended for good is said.
   */
  async settle(): Promise<void> {
    for (const env of await this.#mine()) {
      if (this.#closed) return;
      const active = this.active.find(env.id);
      if (active) {
        this.#lookAfter(active, env.id, true);
        continue;
      }
      if (env.state !== 'running' && env.state !== 'stopped') continue;
      try {
        await this.#settleOne(env);
      } catch (error) {
        this.#failed(env.id, error);
      }
    }
  }

  async #settleOne(env: Env): Promise<void> {
    const containers = await this.services.engine.inspect(env.id);
    // What is missing is reconcile's.
    if (containers.length === 0 || containers.length < env.containerIds.length) return;
    await this.#compare(env, containers, { returned: true });
  }

  /**
   * Looks at an env once its operation has ended, for what the operation could no longer see.
   * @param returned see Circumstances
   */
  #lookAfter(active: ActiveOperation, envId: string, returned: boolean): void {
    const awaited = this.#awaited.get(active);
    this.#awaited.set(active, (awaited ?? false) || returned);
    if (awaited !== undefined) return;
    void active.settled.then(() =>
      this.#enqueue(envId, async () => {
        const env = (await this.#mine()).find((one) => one.id === envId);
        if (env?.state !== 'running' || this.active.find(envId)) return;
        if (this.#awaited.get(active) === true) await this.#settleOne(env);
        else await this.#look(env, active.run.plan.kind === 'stop');
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#turns.values());
  }

  #enqueue(envId: string, work: () => Promise<void>): void {
    if (this.#closed) return;
    const turn = (this.#turns.get(envId) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown) => this.#failed(envId, error))
      .finally(() => {
        if (this.#turns.get(envId) === turn) this.#turns.delete(envId);
      });
    this.#turns.set(envId, turn);
  }

  /** Looks at an env a little later, and not in the way of the events that come until then. */
  #lookLater(env: Env): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#enqueue(env.id, async () => {
        const now = await this.services.store.get(env.tenant, env.id);
        if (now && isAtRest(now)) await this.#look(now);
      });
    }, SETTLE_MS).unref();
    this.#timers.add(timer);
  }

  async #handle(envId: string, event: ProjectEvent): Promise<void> {
    const env = (await this.#mine()).find((one) => one.id === envId);
    if (!env || !isAtRest(env) || !env.containerIds.includes(event.containerId)) return;
    // It happened in an operation that has ended since: that one has seen it.
    if (event.action === 'start' && event.time <= (env.readyAt ?? 0)) return;
    switch (event.action) {
      case 'oom':
        return await this.#warn(
          env,
          'MEMORY',
          `a process of ${event.service} was killed at the memory limit`,
        );
      case 'health_status':
        return await this.#look(env);
      case 'start':
        return await this.#started(env, event);
      case 'die':
        return await this.#died(env, event);
      case 'destroy':
        return await this.#look(env);
      case 'exec_start':
      case 'exec_die':
    }
  }

  /** @param stopFailed right behind a stop that did not come to its end */
  async #look(env: Env, stopFailed = false): Promise<void> {
    const containers = await this.services.engine.inspect(env.id);
    if (containers.length < env.containerIds.length) return await this.#gone(env, containers);
    if (containers.length > 0) await this.#compare(env, containers, { stopFailed });
  }

  async #died(env: Env, event: ProjectEvent): Promise<void> {
    if (env.state !== 'running') return;
    const { service, exitCode = 0, containerId } = event;
    const oomKilled = this.#outOfMemory.delete(containerId);
    const message = howItEnded({ service, exitCode, oomKilled });
    const ending = env.restartPolicy === 'no' || env.url === '';
    if (!(ending && exitCode === 0))
      await this.#change(env, (now) => healthChange(now, 'unhealthy', message));
    this.#lookLater(env);
  }

  async #started(env: Env, { service }: ProjectEvent): Promise<void> {
    const containers = await this.services.engine.inspect(env.id);
    const container = containers.find((one) => one.service === service);
    if (env.state === 'running' && container) {
      await this.#change(env, (now) => healthChange(now, 'starting', `${service} was started again`));
      const times = container.restartCount > 0 ? ` (${container.restartCount} times so far)` : '';
      await this.#warn(env, 'RESTARTED', `${service} ended and was started again${times}`);
    }
    await this.#compare(env, containers);
  }

  async #compare(
    env: Env,
    containers: readonly ProjectContainer[],
    { returned = false, stopFailed = false }: Circumstances = {},
  ): Promise<void> {
    if (containers.some((one) => one.state === 'restarting' || one.state === 'removing')) return;
    const ended = containers.find((one) => one.state !== 'running' && one.state !== 'paused');
    if (!ended) {
      const { health, message } = healthOf(env, containers);
      if (env.state === 'running')
        return await this.#change(env, (now) => healthChange(now, health, message));
      if (await this.#hasPendingUndo(env)) return;
      const reason = 'somebody else started its containers';
      return await this.#change(env, (now) =>
        now.state !== env.state
          ? undefined
          : {
              patch: { state: 'running', stateReason: '', health, healthMessage: message },
              events: [stateChanged(now, 'running', reason), drift(reason)],
            },
      );
    }
    if (env.state !== 'running') return;
    const how = howItEnded(ended);
    if (stopFailed) return await this.#rest(env, 'broken', `${how}, and its stop failed; ${REPAIR}`);
    const isCli = env.url === '';
    if (isCli && ended.exitCode === 0)
      return await this.#stopped(env, containers, `${how}: it came to its end`);
    if (returned && env.restartPolicy === 'unless_stopped') {
      this.services.logger.info({ envId: env.id, reason: how }, 'an env that should run is started again');
      await this.begin.startAgain(env);
      return;
    }
    if (isCli) return await this.#rest(env, 'broken', `${how}; ${REPAIR}`);
    if (env.restartPolicy === 'no')
      return await this.#stopped(env, containers, `${how}, and its restart policy is NO`);
    // Docker starts again what ends by itself.
    await this.#stopped(env, containers, `${how}: somebody else stopped it`, true);
  }

  /** One of its containers ended for good, and the env with it: what runs on, such as its database, is stopped too. */
  async #stopped(
    env: Env,
    containers: readonly ProjectContainer[],
    reason: string,
    isDrift = false,
  ): Promise<void> {
    if (containers.every((one) => one.state !== 'running'))
      return await this.#rest(env, 'stopped', reason, isDrift);
    if (isDrift) await this.#change(env, () => ({ patch: {}, events: [drift(reason)] }));
    await this.begin.stop(env, reason);
    // No event may come where it fails: what ended did so before.
    const active = this.active.find(env.id);
    if (active) this.#lookAfter(active, env.id, false);
  }

  /** What is there of it is what an operation that failed could not take back, and goes when that is tried again. */
  async #hasPendingUndo(env: Env): Promise<boolean> {
    if (env.state !== 'broken') return false;
    return (await this.services.store.listUnfinished()).some(({ envId }) => envId === env.id);
  }

  async #rest(env: Env, state: EnvState, reason: string, isDrift = false): Promise<void> {
    await this.#change(env, (now) =>
      now.state === state
        ? undefined
        : {
            patch: { state, stateReason: reason, health: 'unknown', healthMessage: '' },
            events: [stateChanged(now, state, reason), ...(isDrift ? [drift(reason)] : [])],
          },
    );
  }

  async #gone(env: Env, present: readonly ProjectContainer[]): Promise<void> {
    const ids = env.containerIds.filter((id) => !present.some((container) => container.id === id));
    const reason = `container ${ids.join(', ')} is gone: somebody removed it. Reset the env, deploy its app anew, or destroy it`;
    await this.#change(env, (now) =>
      now.state === 'broken' || now.containerIds.join() !== env.containerIds.join()
        ? undefined
        : {
            patch: { state: 'broken', stateReason: reason, health: 'unknown', healthMessage: '' },
            events: [stateChanged(now, 'broken', reason), drift(reason)],
          },
    );
  }

  async #warn(env: Env, code: string, message: string): Promise<void> {
    const key = `${env.id} ${code}`;
    const now = this.services.clock.now();
    if (now - (this.#warnedAt.get(key) ?? 0) < WARN_AGAIN_MS) return;
    this.#warnedAt.set(key, now);
    await this.#change(env, () => ({ patch: {}, events: [{ type: 'warning', code, message }] }));
  }

  #change(env: Env, changeOf: ChangeOf): Promise<void> {
    return changeAtRest(this.services, this.active, env, changeOf);
  }

  async #mine(): Promise<Env[]> {
    const { owner, host } = this.services.config;
    const live = await this.services.store.listLive();
    return live.filter((env) => env.owner === owner && env.host === host);
  }

  /** Docker or the store went away: `settle` comes when they are back. */
  #failed(envId: string, error: unknown): void {
    const { logger } = this.services;
    const expected = isBerthError(error);
    const text = `what happened to an env could not be looked at: ${messageOf(error)}`;
    if (expected) logger.debug({ envId, err: error }, text);
    else logger.error({ envId, err: error }, text);
  }
}

function stateChanged(env: Env, state: EnvState, reason: string): EnvEventBody {
  return { type: 'state_changed', from: env.state, state, reason };
}

function drift(message: string): EnvEventBody {
  return { type: 'warning', code: 'DRIFT', message };
}
