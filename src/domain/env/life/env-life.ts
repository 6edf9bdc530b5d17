import type { ActiveOperations } from '../active-operations.js';
import type { EnvServices } from '../env-services.js';
import type { OperationHandle } from '../event-log.js';
import type { Env } from '../model.js';
import { ActivityLog } from './activity-log.js';
import { DiskWatch } from './disk-watch.js';
import { DockerWatch } from './docker-watch.js';
import { HealthWatch } from './health-watch.js';
import { Sweeper } from './sweeper.js';
import { TrafficMeters } from './traffic.js';

/** Begins what an env's life asks for by itself. @throws ENV_STATE where something else was done to it meanwhile */
export interface LifeActions {
  expire(env: Env, still: (env: Env) => boolean): Promise<OperationHandle>;
  startAgain(env: Env): Promise<OperationHandle>;
  stop(env: Env, reason: string): Promise<OperationHandle>;
}

/** What goes on with envs between operations: use, time, traffic, health. */
export class EnvLife {
  readonly activities: ActivityLog;
  readonly sweeper: Sweeper;
  readonly #traffic = new TrafficMeters();
  readonly #health: HealthWatch;
  readonly #watch: DockerWatch;

  constructor(services: EnvServices, active: ActiveOperations, actions: LifeActions) {
    this.activities = new ActivityLog(services.store, services.clock);
    this.#health = new HealthWatch(services, active, actions);
    this.#watch = new DockerWatch(
      services.engine,
      (envId, event) => {
        this.#traffic.take(envId, event);
        this.#health.take(envId, event);
      },
      () => this.#traffic.forgetAll(),
    );
    const disk = new DiskWatch(services, active, (env, reason) => actions.stop(env, reason));
    this.sweeper = new Sweeper(services, active, {
      activities: this.activities,
      traffic: this.#traffic,
      expire: (env, still) => actions.expire(env, still),
      watch: () => this.#watch.ensure(),
      measure: (envs) => disk.look(envs),
    });
  }

  /** Follows Docker's events from now on, and comes round on the timer. */
  async start(): Promise<void> {
    this.sweeper.start();
    await this.#watch.ensure();
  }

  /** Docker, or berthd, is back: see HealthWatch.settle. */
  async settle(): Promise<void> {
    await this.#watch.ensure();
    await this.#health.settle();
  }

  async close(): Promise<void> {
    this.#watch.close();
    await this.#health.close();
    await this.sweeper.stop();
  }
}
