import { BerthError } from '../errors.js';
import { ActiveOperations } from './active-operations.js';
import { Apps } from './catalogue/apps.js';
import { DeployPreparation } from './deploy-preparation.js';
import { DryRun } from './dry-run.js';
import { Deployer } from './deployer.js';
import type { LogOptions, ProjectContainer } from './engine.js';
import { containersOf, lookAt } from './env-look.js';
import { EnvQueries, type LogEntry } from './env-queries.js';
import type { EnvDomainOptions, EnvServices } from './env-services.js';
import { buildServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import type { Env, EnvEvent } from './model.js';
import { isAtRest, stateRefuses } from './state-refusal.js';
import { admission, destroyPlan, planDeploy, startPlan, stopPlan, unchangedPlan, type Plan } from './plan.js';
import { OperationStart } from './operation-start.js';
import { Reconciler, type ReconcileReport } from './reconcile.js';
import { Recovery, type RecoveryReport } from './recovery.js';
import {
  checkDeployRequest,
  checkEnvRequest,
  digestOfRequest,
  envNotFound,
  keyText,
  type DeployRequest,
  type EnvRequest,
} from './requests.js';
import type { EnvFilter, Page } from './store.js';

type SimpleKind = 'stop' | 'start' | 'destroy';

/** What a try to begin an operation came to: it began (or was joined, or replayed), or something has to end first. */
type Attempt = { handle: OperationHandle } | { waitFor: Promise<unknown> };

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
  readonly #preparation: DeployPreparation;
  readonly #start: OperationStart;
  readonly #recovery: Recovery;
  readonly #reconciler: Reconciler;
  readonly #queries: EnvQueries;
  #closing = false;

  constructor(options: EnvDomainOptions) {
    const services = buildServices(options);
    this.#services = services;
    this.#active = new ActiveOperations(
      new Deployer(services),
      services.events,
      services.logger,
      services.config.maxConcurrentOperations,
    );
    this.apps = new Apps(services, this.#active);
    this.dryRun = new DryRun(services, this.#active);
    this.#preparation = new DeployPreparation(services);
    this.#start = new OperationStart(services, this.#active);
    this.#recovery = new Recovery(services, this.#active, this.#start);
    this.#reconciler = new Reconciler(services, this.#active);
    this.#queries = new EnvQueries(services, this.#active);
  }

  /**
   * Brings an app up. @throws INVALID_ARGUMENT, APP_NOT_FOUND, APP_INVALID, RUNTIME_UNKNOWN, NOT_BUILT (a database),
   * REQUEST_ID_REUSED, SHUTTING_DOWN, DOCKER_UNAVAILABLE, STORE_UNAVAILABLE, or the signal's reason while waiting
   */
  async deploy(request: DeployRequest, signal?: AbortSignal): Promise<OperationHandle> {
    const checked = checkDeployRequest(request);
    const digest = digestOfRequest('deploy', checked);
    return await this.#begin(keyText(checked), checked, digest, signal, () =>
      this.#tryDeploy(checked, digest, signal),
    );
  }

  /** Stops the containers, keeps them and their data. @throws as `deploy`, ENV_NOT_FOUND, ENV_STATE */
  stop(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple('stop', request, signal);
  }

  /** Starts the containers of a stopped env. @throws as `stop`, ENV_CONTAINER_MISSING */
  start(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple('start', request, signal);
  }

  /** Removes all an env holds; cancels a deployment or a start. Destroying what is gone changes nothing. @throws as `stop` */
  destroy(request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return this.#simple('destroy', request, signal);
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
  get(tenant: string, envId: string): Promise<Env> {
    return this.#queries.get(tenant, envId);
  }

  /** The operation that is under way, and the newest `seq`, for what the API shows of an env. */
  present(env: Env): Promise<{ operation: OperationHandle | undefined; lastSeq: number }> {
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

  /** Log of one service's container, `app` by default; with `after`, behind the entry of that cursor. @throws ENV_NOT_FOUND, ENV_CONTAINER_MISSING */
  logs(
    request: { tenant: string; envId: string; service?: string; after?: string },
    options: LogOptions,
    signal: AbortSignal,
  ): AsyncIterable<LogEntry> {
    return this.#queries.logs(request, options, signal);
  }

  /**
   * Finishes or undoes what a crash or a lost store cut off. Call it at boot, and again whenever Docker or the store came
   * back; it is cheap when there is nothing to do. @throws DOCKER_UNAVAILABLE, STORE_UNAVAILABLE: call it again
   */
  recover(): Promise<RecoveryReport> {
    return this.#recovery.recover();
  }

  /** Compares what this daemon owns on the host with the rows, and removes strays unless it is a dry run. */
  reconcile(options: { dryRun: boolean }): Promise<ReconcileReport> {
    return this.#reconciler.reconcile(options);
  }

  /**
   * Takes no new operations, and waits for those under way. After `timeoutMs` deployments and starts are cancelled and
   * undone, which takes what it takes; stops and destroys are left to the next boot, which finishes them. Envs keep
   * running.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    const all = () => Promise.all(this.#active.all().map((active) => active.settled));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const result = await Promise.race([all(), late]);
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

  async #tryDeploy(request: DeployRequest, requestDigest: string, signal?: AbortSignal): Promise<Attempt> {
    const deployment = await this.#preparation.prepare(request);
    const { engine, ports, store } = this.#services;
    const key = request;
    const present = await store.findLive(key);
    const facts = {
      appDigest: deployment.digest,
      source: deployment.app.source.kind,
      hasDatabase: deployment.database !== undefined,
      force: request.force ?? false,
    };
    if (!present) {
      const plan = planDeploy({ ...facts, present: undefined });
      return attempt(await this.#start.create(request, requestDigest, plan, deployment));
    }
    const active = this.#active.find(present.id);
    if (active) {
      const { plan, context, signal: cancelled } = active.run;
      const same =
        plan.kind === 'deploy' && context.deployment?.digest === deployment.digest && !cancelled.aborted;
      return same ? { handle: active.handle } : { waitFor: active.settled };
    }
    if (await this.#recovery.resume(present)) return { waitFor: Promise.resolve() };
    if (!isAtRest(present)) throw stateRefuses('deploy', present, 'another berthd is at it');
    const plan = planDeploy({ ...facts, present: await lookAt(present, engine, ports, signal) });
    return attempt(await this.#start.begin(present, request, requestDigest, plan, deployment));
  }

  async #simple(kind: SimpleKind, request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    checkEnvRequest(request);
    const env = await this.#services.store.get(request.tenant, request.envId);
    if (!env) throw envNotFound(request.envId);
    const digest = digestOfRequest(kind, request);
    const cancelled = { it: false };
    return await this.#begin(keyText(env), request, digest, signal, () =>
      this.#trySimple(kind, request, digest, cancelled, signal),
    );
  }

  async #trySimple(
    kind: SimpleKind,
    request: EnvRequest,
    requestDigest: string,
    cancelled: { it: boolean },
    signal?: AbortSignal,
  ): Promise<Attempt> {
    const env = await this.#queries.get(request.tenant, request.envId);
    const active = this.#active.find(env.id);
    if (active && active.run.plan.kind === kind) return { handle: active.handle };
    const admitted = admission(kind, active ? active.run.plan.states.during : env.state);
    if (active) {
      if (admitted === 'cancel_and_wait') {
        active.run.stateWhenCancelled = 'destroyed';
        active.cancel(
          new BerthError('OPERATION_ABORTED', `DestroyEnv cancelled the ${active.run.plan.kind}`),
        );
        cancelled.it = true;
      }
      return { waitFor: active.settled };
    }
    const resumed = await this.#recovery.resume(env, { destroyFollows: kind === 'destroy' });
    if (resumed) return { waitFor: Promise.resolve() };
    switch (admitted) {
      case 'refuse':
        throw stateRefuses(kind, env);
      case 'wait':
      case 'cancel_and_wait':
        throw stateRefuses(kind, env, 'another berthd is at it');
      case 'unchanged':
        if (kind === 'destroy') return { handle: await this.#start.alreadyGone(env, cancelled.it) };
        return attempt(await this.#start.begin(env, request, requestDigest, unchangedPlan(kind, env.state)));
      case 'begin':
        return attempt(
          await this.#start.begin(env, request, requestDigest, await this.#planSimple(kind, env, signal)),
        );
    }
  }

  async #planSimple(kind: SimpleKind, env: Env, signal?: AbortSignal): Promise<Plan> {
    if (kind === 'stop') return stopPlan();
    if (kind === 'destroy') return destroyPlan(this.#services.databases.all.length > 0);
    const containers = await containersOf(env, this.#services.engine, signal);
    if (containers === 'missing') {
      throw new BerthError(
        'ENV_CONTAINER_MISSING',
        `the containers of ${env.id} are gone, so there is nothing to start: reset it, or deploy its app anew`,
        { resource: { type: 'env', name: env.id } },
      );
    }
    return env.state === 'running' && containers === 'running'
      ? unchangedPlan('start', 'running')
      : startPlan();
  }

  /** Tries under the key's lock until the operation has begun; between the tries the lock is free. */
  async #begin(
    key: string,
    request: { tenant: string; requestId: string },
    requestDigest: string,
    signal: AbortSignal | undefined,
    tryOnce: () => Promise<Attempt>,
  ): Promise<OperationHandle> {
    for (;;) {
      signal?.throwIfAborted();
      const result = await this.#services.locks.run(key, async (): Promise<Attempt> => {
        if (this.#closing)
          throw new BerthError('SHUTTING_DOWN', 'berthd is stopping and takes no new operations');
        const replay = await this.#start.replay(request, requestDigest);
        return replay ? { handle: replay } : await tryOnce();
      });
      if ('handle' in result) return result.handle;
      await orAbort(result.waitFor, signal);
    }
  }
}

/** Undefined: somebody else was first, so look again. */
function attempt(handle: OperationHandle | undefined): Attempt {
  return handle ? { handle } : { waitFor: Promise.resolve() };
}

function isUndone(plan: Plan): boolean {
  return plan.kind === 'deploy' || plan.kind === 'start' || plan.kind === 'reset';
}

async function orAbort(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return void (await work);
  let abort!: () => void;
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
