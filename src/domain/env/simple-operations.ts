import { access } from 'node:fs/promises';
import { BerthError } from '../errors.js';
import type { ActiveOperations } from './active-operations.js';
import { admission, type SimpleKind } from './admission.js';
import { containersOf } from './env-look.js';
import type { EnvQueries } from './env-queries.js';
import type { EnvServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import type { Env } from './model.js';
import { endsOf } from './life/ends.js';
import { whyThen } from './life/explanation.js';
import { attempt, type Attempt, type OperationAttempts } from './operation-attempts.js';
import { isRemoval } from './operation-end.js';
import type { OperationStart } from './operation-start.js';
import { destroyPlan, resetPlan, startPlan, stopPlan, unchangedPlan, type Plan } from './plan.js';
import type { Recovery } from './recovery.js';
import { checkEnvRequest, digestOfRequest, envNotFound, keyText, type EnvRequest } from './requests.js';
import { stateRefuses } from './state-refusal.js';
import { loadProject } from './steps/compose-file.js';
import { newContext } from './steps/context.js';

/** What berthd does by itself, for what it found. */
export interface ByItself {
  /** Whether that is so still; asked when nothing else is done to the env. */
  still: (env: Env) => boolean;
  reason?: string;
}

interface Wanted {
  kind: SimpleKind;
  request: EnvRequest;
  digest: string;
  byItself: ByItself | undefined;
  /** Whether something was cancelled for it. */
  cancelled: { it: boolean };
  signal: AbortSignal | undefined;
}

/** Begins what is done to an env that is there: stop, start, reset, destroy, and the destroy of one whose time is over. */
export class SimpleOperations {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly attempts: OperationAttempts,
    private readonly start: OperationStart,
    private readonly recovery: Recovery,
    private readonly queries: EnvQueries,
  ) {}

  /** @throws as EnvOperations.stop, start, reset and destroy */
  async begin(kind: SimpleKind, request: EnvRequest, signal?: AbortSignal): Promise<OperationHandle> {
    return await this.#begin(kind, request, undefined, signal);
  }

  /**
   * What nobody asked for waits for nothing that somebody did: it is refused where something else is under way, or was
   * done since. @throws ENV_STATE then, ENV_NOT_FOUND, and as `begin`
   */
  async beginByItself(
    kind: 'stop' | 'start' | 'expire',
    { tenant, id }: Env,
    byItself: ByItself,
  ): Promise<OperationHandle> {
    return await this.#begin(kind, { tenant, envId: id, requestId: '' }, byItself);
  }

  async #begin(
    kind: SimpleKind,
    request: EnvRequest,
    byItself?: ByItself,
    signal?: AbortSignal,
  ): Promise<OperationHandle> {
    checkEnvRequest(request);
    const env = await this.services.store.get(request.tenant, request.envId);
    if (!env) throw envNotFound(request.envId);
    const digest = digestOfRequest(kind, request);
    const cancelled = { it: false };
    return await this.attempts.begin(keyText(env), request, digest, signal, () =>
      this.#try({ kind, request, digest, byItself, cancelled, signal }),
    );
  }

  async #try(wanted: Wanted): Promise<Attempt> {
    const { kind, request, digest: requestDigest, byItself, cancelled, signal } = wanted;
    const env = await this.queries.get(request.tenant, request.envId);
    const active = this.active.find(env.id);
    if (byItself && (active || !byItself.still(env)))
      throw stateRefuses(kind, env, 'something else was done to it meanwhile');
    if (active?.isRetry) return { waitFor: active.settled };
    const underWay = active?.run.plan.kind;
    if (active && (underWay === kind || (isRemoval(kind) && underWay && isRemoval(underWay)))) {
      return { handle: active.handle, joined: true };
    }
    const admitted = admission(kind, active ? active.run.plan.states.during : env.state);
    if (active && admitted !== 'refuse') {
      if (admitted === 'cancel_and_wait') {
        active.run.stateWhenCancelled = 'destroyed';
        active.cancel(new BerthError('OPERATION_ABORTED', `DestroyEnv cancelled the ${underWay}`));
        cancelled.it = true;
      }
      return { waitFor: active.settled };
    }
    if (active) throw stateRefuses(kind, env);
    const resumed = await this.recovery.resume(env, { destroyFollows: isRemoval(kind) });
    if (resumed) return resumed;
    switch (admitted) {
      case 'refuse':
        throw stateRefuses(kind, env);
      case 'wait':
      case 'cancel_and_wait':
        throw stateRefuses(kind, env, 'another berthd is at it');
      case 'unchanged':
        if (kind === 'destroy')
          return { handle: await this.start.alreadyGone(env, request, requestDigest, cancelled.it) };
        return attempt(await this.start.begin(env, request, requestDigest, unchangedPlan(kind, env.state)));
      case 'begin': {
        const plan = await this.#plan(kind, env, signal);
        const { readyTimeoutMs = 0 } = request;
        const planned = {
          ...plan,
          ...(readyTimeoutMs > 0 && { readyTimeoutMs }),
          ...(byItself && { byItself: true }),
          ...(byItself?.reason !== undefined && { reason: byItself.reason }),
        };
        return attempt(await this.start.begin(env, request, requestDigest, planned));
      }
    }
  }

  async #plan(kind: SimpleKind, env: Env, signal?: AbortSignal): Promise<Plan> {
    switch (kind) {
      case 'stop':
        return stopPlan();
      case 'start':
        return await this.#planStart(env, signal);
      case 'reset':
        return await this.#planReset(env, signal);
      case 'destroy':
        return { ...destroyPlan(this.services.databases.all.length > 0), reason: 'DestroyEnv removed it' };
      case 'expire': {
        const plan = destroyPlan(this.services.databases.all.length > 0, 'expire');
        const [end] = endsOf(env, 0);
        return { ...plan, reason: whyThen(env, end?.cause ?? 'expiry') };
      }
    }
  }

  async #planStart(env: Env, signal?: AbortSignal): Promise<Plan> {
    const containers = await containersOf(env, this.services.engine, signal);
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

  /** A reset drops data: whatever it needs is looked for before anything is touched. */
  async #planReset(env: Env, signal?: AbortSignal): Promise<Plan> {
    const { engine, ports } = this.services;
    const { services } = await loadProject(newContext(env));
    for (const { image } of services) await engine.requireImage(image, signal);
    await access(env.appDirectory).catch((cause: unknown) => {
      const message = `${env.appDirectory}, the app of ${env.id}, is gone, so it cannot be reset: bring it back, or destroy the env`;
      throw new BerthError('APP_NOT_FOUND', message, { cause });
    });
    const held = (await engine.inspect(env.id, signal)).some((container) => container.state === 'running');
    const port = services.flatMap((service) => service.ports)[0]?.hostPort;
    if (!held && port !== undefined && !(await ports.canBind(port))) {
      throw new BerthError(
        'PORT_TAKEN',
        `port ${port} of ${env.id} is taken by another process: end that, or deploy the app anew, which takes another port`,
        { metadata: { port: String(port) } },
      );
    }
    return resetPlan(env.state, env.database !== null);
  }
}
