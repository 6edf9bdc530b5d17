import { BerthError } from '../errors.js';
import { ActiveOperations } from './active-operations.js';
import { Apps } from './catalogue/apps.js';
import { DryRun } from './dry-run.js';
import { Deployer } from './deployer.js';
import type { ProjectContainer } from './engine.js';
import { Deployments } from './deployments.js';
import { EnvQueries, type EnvPresence } from './env-queries.js';
import type { EnvDomainOptions, EnvServices } from './env-services.js';
import { buildServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import { EnvLife } from './life/env-life.js';
import { Explanations, type Explanation } from './life/explanation.js';
import { Extensions, type ExtendRequest } from './life/extension.js';
import { EnvLogs, type ToldEntry } from './logs/env-logs.js';
import type { LogRequest } from './logs/request.js';
import type { ActivityKind, Env, EnvEvent } from './model.js';
import type { Plan } from './plan.js';
import { OperationAttempts } from './operation-attempts.js';
import { OperationStart } from './operation-start.js';
import { Preflight } from './preflight.js';
import { Reconciler, type ReconcileReport } from './reconcile.js';
import { Recovery, type RecoveryReport } from './recovery.js';
import type { DeployRequest, EnvRequest } from './requests.js';
import { SimpleOperations } from './simple-operations.js';
import type { EnvFilter, Page } from './store.js';
import { UndoRetries } from './undo-retries.js';

/**
 * Everything that is done to envs. An operation is checked, admitted, committed, and then carried out in the background:
 * it belongs to the daemon and goes on when its caller goes away. A method resolves as soon as the operation is
 * committed; what comes of it is in the event log (`follow`).
 *
 * For each env one operation is under way at a time. An equal one joins it and gets its events; any other waits for its
 * end, up to the caller's signal, and looks again; a destroy cancels a deployment or a start. Every decision is made
 * under the lock of the env's key, and the store's conditional updates hold even when another daemon shares it.
 */
export class EnvOperations {
  /** The apps that can be deployed by id. */
  readonly apps: Apps;
  /** What a deployment would do. */
  readonly dryRun: DryRun;
  readonly #services: EnvServices;
  readonly #active: ActiveOperations;
  readonly #attempts: OperationAttempts;
  readonly #deployments: Deployments;
  readonly #simple: SimpleOperations;
  readonly #recovery: Recovery;
  readonly #reconciler: Reconciler;
  readonly #queries: EnvQueries;
  readonly #extensions: Extensions;
  readonly #explanations: Explanations;
  readonly #life: EnvLife;
  readonly #logs: EnvLogs;
  #onCutOff: () => void = () => {};

  constructor(options: EnvDomainOptions) {
    const services = buildServices(options);
    this.#services = services;
    this.#active = new ActiveOperations(
      new Deployer(services),
      services.events,
      services.logger,
      services.config,
      () => this.#onCutOff(),
    );
    const retries = new UndoRetries(services.clock, services.config.reconcileIntervalMs);
    this.apps = new Apps(services, this.#active);
    this.dryRun = new DryRun(services, this.#active);
    const start = new OperationStart(services, this.#active);
    this.#attempts = new OperationAttempts(services, start);
    this.#recovery = new Recovery(services, this.#active, retries);
    this.#reconciler = new Reconciler(services, this.#active);
    this.#queries = new EnvQueries(services, this.#active);
    const getEnv = this.#queries.get.bind(this.#queries);
    this.#logs = new EnvLogs({
      engine: services.engine,
      events: services.events,
      store: services.store,
      getEnv,
    });
    const begins = [services, this.#active, this.#attempts, start, this.#recovery] as const;
    const preflight = new Preflight(services, this.#active, () => this.sweep());
    this.#deployments = new Deployments(...begins, preflight);
    this.#simple = new SimpleOperations(...begins, this.#queries);
    this.#extensions = new Extensions(services);
    this.#explanations = new Explanations(services, this.#active, retries);
    this.#life = new EnvLife(services, this.#active, {
      expire: (env, still) => this.#simple.beginByItself('expire', env, { still }),
      stop: (env, reason) => this.#simple.beginByItself('stop', env, { still: livesAs(env), reason }),
      startAgain: (env) => this.#simple.beginByItself('start', env, { still: livesAs(env) }),
    });
  }

  /**
   * Brings an app up. @throws QUEUE_FULL, ENV_CAPACITY, INVALID_ARGUMENT, APP_NOT_FOUND, APP_INVALID, RUNTIME_UNKNOWN, NOT_BUILT (a database),
   * REQUEST_ID_REUSED, SHUTTING_DOWN, DOCKER_UNAVAILABLE, STORE_UNAVAILABLE, or the signal's reason while waiting
   */
  deploy(request: DeployRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#deployments.deploy(request, signal);
  }

  /** Stops the containers, keeps them and their data. @throws as `deploy`, ENV_NOT_FOUND, ENV_STATE */
  stop(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple.begin('stop', request, signal);
  }

  /** Starts the containers of a stopped env. @throws as `stop`, ENV_CONTAINER_MISSING */
  start(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple.begin('start', request, signal);
  }

  /**
   * Makes the containers anew, also where they are gone, and drops the data: named volumes and what is in the database.
   * @throws as `stop`, PORT_TAKEN, COMPOSE_INVALID, IMAGE_NOT_FOUND, APP_NOT_FOUND: nothing is touched then
   */
  reset(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple.begin('reset', request, signal);
  }

  /** Removes all an env holds; cancels a deployment or a start. Destroying what is gone changes nothing. @throws as `stop` */
  destroy(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple.begin('destroy', request, signal);
  }

  /**
   * Gives an env more time to live, never less. @throws INVALID_ARGUMENT, ENV_NOT_FOUND, ENV_STATE of one that is gone or
   * on its way, REQUEST_ID_REUSED
   */
  extend(request: ExtendRequest): Promise<Env> {
    return this.#extensions.extend(request);
  }

  /** Why an env, as `get` answers it, is alive, when it goes and what it holds. */
  explain(env: Env, signal: AbortSignal): Promise<Explanation> {
    return this.#explanations.explain(env, signal);
  }

  /** Records that an env is used. Cheap: it is written with the next sweep. The caller has seen that it is the tenant's. */
  noteActivity(tenant: string, envId: string, kind: ActivityKind, detail = ''): void {
    this.#life.activities.note(tenant, envId, kind, detail);
  }

  /** A session that keeps an env from idling until it is closed: a terminal, a reader of its logs. */
  openSession(tenant: string, envId: string, detail: string): { close(): void } {
    return this.#life.activities.open(tenant, envId, detail);
  }

  /** From now on follows what happens to envs between operations, and ends those whose time is over. */
  live(): Promise<void> {
    return this.#life.start();
  }

  /** One round of looking at the time and the traffic of envs now. @returns the operations that it began */
  sweep(): Promise<OperationHandle[]> {
    return this.#life.sweeper.sweep();
  }

  /** Docker or berthd was away: brings rows and containers together as the restart policies say. Call it after `recover`. */
  settle(): Promise<void> {
    return this.#life.settle();
  }

  /** The events of one operation, from its first to its terminal one. */
  follow(handle: OperationHandle, signal: AbortSignal): AsyncIterable<EnvEvent> {
    return this.#services.events.follow(handle, signal);
  }

  /** The events of an env after `afterSeq`; does not end by itself, or with `operationId` after its terminal event. */
  watch(
    request: { tenant: string; envId: string; afterSeq: number; operationId?: string },
    signal: AbortSignal,
  ): AsyncIterable<EnvEvent> {
    return this.#queries.watch(request, signal);
  }

  /** @throws ENV_NOT_FOUND */
  async get(tenant: string, envId: string): Promise<Env> {
    return this.#life.activities.over(await this.#queries.get(tenant, envId));
  }

  /** The operation that is under way, and the newest `seq`, for what the API shows of an env. */
  present(env: Env): Promise<EnvPresence> {
    return this.#queries.present(env);
  }

  /** @param pageSize 0: 50; at most 500 */
  list(filter: EnvFilter, pageSize: number, pageToken: string): Promise<Page<Env>> {
    return this.#queries.list(filter, pageSize, pageToken);
  }

  /** A live look at the containers of an env, the app's first; none while Docker is away. */
  containers(env: Env, signal: AbortSignal): Promise<ProjectContainer[]> {
    return this.#queries.containers(env, signal);
  }

  /** What the services of an env wrote. @throws as `EnvLogs.stream` */
  async *logs(request: LogRequest, signal: AbortSignal): AsyncIterable<ToldEntry> {
    const { tenant, envId } = request;
    await this.#queries.get(tenant, envId);
    const session = this.openSession(tenant, envId, 'StreamEnvLogs');
    try {
      yield* this.#logs.stream(request, signal);
    } finally {
      session.close();
    }
  }

  /**
   * Finishes or undoes what a crash or a lost store cut off. Call it at boot, and again whenever Docker or the store came
   * back; it is cheap when there is nothing to do. @throws DOCKER_UNAVAILABLE, STORE_UNAVAILABLE: call it again
   */
  recover(): Promise<RecoveryReport> {
    return this.#recovery.recover();
  }

  /** As a person asks for it: undos that failed are tried at once, and then as `reconcile`. */
  async mend(): Promise<ReconcileReport> {
    await this.#recovery.recover({ undosNow: true });
    return await this.#reconciler.reconcile({ dryRun: false });
  }

  /** Calls `listener` when an operation was cut off by the loss of the store: it waits for `recover`. */
  onCutOff(listener: () => void): void {
    this.#onCutOff = listener;
  }

  /** Compares what this daemon owns on the host with the rows, and removes strays unless it is a dry run. */
  reconcile(options: { dryRun: boolean }): Promise<ReconcileReport> {
    return this.#reconciler.reconcile(options);
  }

  /**
   * Takes no new operations, and waits for those under way. After `timeoutMs` deployments and starts are cancelled and
   * undone, which takes what it takes; stops, destroys and what berthd started by itself are left to the next boot, which
   * finishes them. Envs keep running.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#attempts.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const settled = async (): Promise<void> => {
      await this.#life.close();
      await Promise.all(this.#active.all().map((active) => active.settled));
    };
    const result = await Promise.race([settled(), late]);
    clearTimeout(timer);
    if (result !== 'late') return;
    const cancelled = this.#active.all().filter((active) => isUndone(active.run.plan));
    for (const active of cancelled) {
      active.cancel(
        new BerthError('OPERATION_ABORTED', 'berthd is stopping; repeat the operation when it is back'),
      );
    }
    await Promise.all(cancelled.map((active) => active.settled));
  }
}

function isUndone({ kind, byItself = false }: Plan): boolean {
  return kind === 'deploy' || kind === 'reset' || (kind === 'start' && !byItself);
}

/** Whether an env is in the state, and has been since the same start of the same containers, as when it was found. */
function livesAs(found: Env): (now: Env) => boolean {
  const lifeOf = ({ state, readyAt, containerIds }: Env): string =>
    [state, readyAt, ...containerIds].join(' ');
  return (now) => lifeOf(now) === lifeOf(found);
}
