import { newRun } from './operation-run.js';
import { join } from 'node:path';
import { BerthError } from '../errors.js';
import { newEnvId, newId } from '../ids.js';
import type { ActiveOperations } from './active-operations.js';
import type { EnvServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import type { Env, EnvEvent, EnvEventBody, EnvState, Operation } from './model.js';
import { operationInput } from './operation-input.js';
import { newLife, requestedLife } from './life/settings.js';
import type { Plan } from './plan.js';
import { answering, requestRecord } from './request-record.js';
import type { DeployRequest } from './requests.js';
import { APP_FOLDER } from './steps/app-steps.js';
import { newContext, type Deployment } from './steps/context.js';
import { envDirectory } from './steps/directory.js';

interface RequestRef {
  tenant: string;
  requestId: string;
}

interface Beginning {
  deployment?: Deployment;
  /** Called as soon as it is launched. */
  launched?: () => void;
}

/** Commits the beginning of operations and launches them. The caller holds the lock of the env's key. */
export class OperationStart {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
  ) {}

  /**
   * The operation that the request id began before; undefined when there is none.
   * @throws REQUEST_ID_REUSED when it was another request
   */
  async replay(
    { tenant, requestId }: RequestRef,
    requestDigest: string,
  ): Promise<OperationHandle | undefined> {
    if (requestId === '') return undefined;
    const { store } = this.services;
    const operation = await store.findOperationByRequest(tenant, requestId);
    if (!operation) return undefined;
    const operationId = answering(operation);
    if (operation.requestDigest !== requestDigest) {
      const did = operation.kind === 'join' ? 'joined' : `began ${operation.kind}`;
      throw new BerthError(
        'REQUEST_ID_REUSED',
        `request_id ${requestId} ${did} ${operationId} before, with another content; use a new id`,
        { metadata: { operation_id: operationId } },
      );
    }
    const env = await store.get(tenant, operation.envId);
    return env && { operationId, env, afterSeq: 0 };
  }

  /** A call that joined an operation is answered in the same way when it is repeated, also when that has ended. */
  async recordJoin(handle: OperationHandle, request: RequestRef, requestDigest: string): Promise<void> {
    if (request.requestId === '') return;
    await this.services.events.commit({ newOperation: this.#join(handle, request, requestDigest) });
  }

  #join(
    { operationId, env }: Pick<OperationHandle, 'operationId' | 'env'>,
    { requestId }: RequestRef,
    requestDigest: string,
  ): Operation {
    const at = this.services.clock.now();
    return requestRecord('join', env, { requestId, requestDigest, at, joined: operationId });
  }

  /** A new env and its first operation. Undefined when another daemon was first with the key. */
  async create(
    request: DeployRequest,
    requestDigest: string,
    plan: Plan,
    deployment: Deployment,
    launched: () => void,
  ): Promise<OperationHandle | undefined> {
    const { config, clock, events } = this.services;
    const { tenant, userId, systemId, appId } = request;
    const directory = envDirectory(config.basePath, { tenant, userId, systemId, appId });
    const now = clock.now();
    const env: Env = {
      id: newEnvId(),
      tenant,
      userId,
      systemId,
      appId,
      state: plan.states.during,
      stateReason: '',
      appDigest: deployment.digest,
      runtime: deployment.spec.runtime,
      port: null,
      url: '',
      directory,
      appDirectory:
        deployment.app.source.kind === 'folder' ? deployment.app.source.path : join(directory, APP_FOLDER),
      containerIds: [],
      createdAt: now,
      updatedAt: now,
      ...newLife(config, requestedLife(request, config), now),
    };
    const operation = this.#operation(env, request, requestDigest, plan);
    return await this.#launch(operation, plan, { deployment, launched }, async () => {
      const result = await events.claim(env, operation, [
        started(plan),
        stateChanged(undefined, plan.states.during),
      ]);
      return 'conflict' in result ? undefined : result;
    });
  }

  /** An operation on an env at rest. Undefined when its state is another one by now. */
  async begin(
    env: Env,
    request: RequestRef,
    requestDigest: string,
    plan: Plan,
    begins: Beginning = {},
  ): Promise<OperationHandle | undefined> {
    const { during } = plan.states;
    const operation = this.#operation(env, request, requestDigest, plan);
    return await this.#launch(operation, plan, begins, async () => {
      const bodies = [started(plan), ...(during === env.state ? [] : [stateChanged(env.state, during)])];
      const result = await this.services.events.beginOperation(operation, [env.state], during, bodies);
      return 'refused' in result ? undefined : result;
    });
  }

  /** The answer to a destroy of what is gone: the events of an operation that finds nothing to do. */
  async alreadyGone(
    env: Env,
    request: RequestRef,
    requestDigest: string,
    changed: boolean,
  ): Promise<OperationHandle> {
    const operationId = newId('op');
    const bodies: EnvEventBody[] = [
      { type: 'operation_started', kind: 'destroy', plan: [], recovered: false },
      {
        type: 'succeeded',
        kind: 'destroy',
        state: env.state,
        elapsedMs: 0,
        timings: [],
        outcome: changed ? 'changed' : 'unchanged',
      },
    ];
    const join = request.requestId !== '' && this.#join({ operationId, env }, request, requestDigest);
    const events = await this.services.events.commit({
      ...(join && { newOperation: join }),
      events: bodies.map((body) => ({ envId: env.id, operationId, body })),
    });
    return { operationId, env, afterSeq: before(events) };
  }

  #operation(env: Env, { requestId }: RequestRef, requestDigest: string, plan: Plan): Operation {
    return {
      id: newId('op'),
      envId: env.id,
      tenant: env.tenant,
      kind: plan.kind,
      state: 'running',
      requestId,
      requestDigest,
      startedAt: this.services.clock.now(),
      endedAt: null,
      error: null,
      input: operationInput(this.services.config.owner, plan),
    };
  }

  async #launch(
    operation: Operation,
    plan: Plan,
    { deployment, launched }: Beginning,
    commit: () => Promise<{ env: Env; events: EnvEvent[] } | undefined>,
  ): Promise<OperationHandle | undefined> {
    this.active.announce(operation.id);
    let begun: { env: Env; events: EnvEvent[] } | undefined;
    try {
      begun = await commit();
    } catch (error) {
      this.active.lose(operation.id);
      throw error;
    }
    if (!begun) {
      this.active.forget(operation.id);
      return undefined;
    }
    const handle = { operationId: operation.id, env: begun.env, afterSeq: before(begun.events) };
    const run = newRun(operation, plan, newContext(begun.env, deployment));
    this.active.launch(run, handle, (deployer, started) => deployer.run(started));
    launched?.();
    return handle;
  }
}

function started(plan: Plan): EnvEventBody {
  return {
    type: 'operation_started',
    kind: plan.kind,
    plan: plan.steps.map((step) => step.name),
    recovered: false,
  };
}

function stateChanged(from: EnvState | undefined, state: EnvState): EnvEventBody {
  return { type: 'state_changed', from, state, reason: '' };
}

function before(events: EnvEvent[]): number {
  return (events[0]?.seq ?? 1) - 1;
}
