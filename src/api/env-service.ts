import {
  EnvServiceService,
  EnvState,
  type DeployEnvRequest,
  type Env as EnvMessage,
  type EnvEvent as EventMessage,
  type EnvServiceServer,
  type ListEnvsRequest,
  type ResetEnvRequest,
  type StartEnvRequest,
  type StreamEnvLogsRequest,
  type StreamEnvLogsResponse,
  type WatchEnvRequest,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import { invalid } from '../domain/errors.js';
import type { SharedServer } from '../domain/database/shared-server.js';
import type { EnvSessions } from '../domain/env/exec/env-sessions.js';
import type { OperationHandle } from '../domain/env/event-log.js';
import type { Env, EnvEvent } from '../domain/env/model.js';
import type { EnvOperations } from '../domain/env/operations.js';
import type { EnvFilter } from '../domain/env/store.js';
import type { Logger } from '../telemetry/logger.js';
import { appMethods } from './app-methods.js';
import { service, serverStream, type Service, unary, type CallContext } from './calls.js';
import { toDeployRequest } from './deploy-request.js';
import { STATES, toEnv, toEnvEvent, withContainers } from './env-messages.js';
import { execEnv } from './exec-env.js';
import { toExplanation } from './explain-messages.js';
import { toLogRequest, toLogResponse } from './log-messages.js';
import { toReconciled } from './reconcile-messages.js';
import type { ReaderLimit } from './reader-limit.js';
import { sharedDatabaseMethods } from './shared-database.js';

type EventResponse = { event: EventMessage };

/** What EnvService is made over. */
export interface EnvServiceParts {
  envs: EnvOperations;
  sharedServer: SharedServer;
  sessions: EnvSessions;
  readers: ReaderLimit;
  logger: Logger;
}

/** EnvService over the env domain. */
export function envService({ envs, sharedServer, sessions, readers, logger }: EnvServiceParts): Service {
  const encode = async (env: Env): Promise<EnvMessage> => {
    return toEnv(env, await envs.present(env));
  };

  async function* encoded(events: AsyncIterable<EnvEvent>, tenant: string): AsyncGenerator<EventResponse> {
    for await (const event of events) {
      yield { event: await toEnvEvent(event, async () => encode(await envs.get(tenant, event.envId))) };
    }
  }

  /** An operation's stream: it begins with the operation and ends with its terminal event. */
  function operation<Request>(begin: (request: Request, context: CallContext) => Promise<OperationHandle>) {
    return serverStream<Request, EventResponse>(logger, async function* (request, context) {
      const handle = await begin(request, context);
      yield* encoded(envs.follow(handle, context.signal), context.tenant);
    });
  }

  async function* watch(
    request: WatchEnvRequest,
    { tenant, signal }: CallContext,
  ): AsyncGenerator<EventResponse> {
    const { envId, afterSeq, operationId } = request;
    yield* encoded(
      envs.watch({ tenant, envId, afterSeq, ...(operationId !== '' && { operationId }) }, signal),
      tenant,
    );
  }

  async function* logs(
    request: StreamEnvLogsRequest,
    { tenant, signal }: CallContext,
  ): AsyncGenerator<StreamEnvLogsResponse> {
    for await (const told of envs.logs(toLogRequest(request, tenant), signal)) yield toLogResponse(told);
  }

  return service<EnvServiceServer>(
    EnvServiceService,
    {
      deployEnv: operation<DeployEnvRequest>((request, { tenant, signal }) =>
        envs.deploy(toDeployRequest(request, tenant), signal),
      ),
      stopEnv: operation<{ envId: string; requestId: string }>((request, { tenant, signal }) =>
        envs.stop({ tenant, ...named(request) }, signal),
      ),
      startEnv: operation<StartEnvRequest>((request, { tenant, signal }) =>
        envs.start({ tenant, ...named(request), readyTimeoutMs: request.readyTimeoutMs }, signal),
      ),
      resetEnv: operation<ResetEnvRequest>((request, { tenant, signal }) =>
        envs.reset({ tenant, ...named(request), readyTimeoutMs: request.readyTimeoutMs }, signal),
      ),
      destroyEnv: operation<{ envId: string; requestId: string }>((request, { tenant, signal }) =>
        envs.destroy({ tenant, ...named(request) }, signal),
      ),
      watchEnv: serverStream(logger, (request, context) =>
        readers.within(context.tenant, watch(request, context)),
      ),
      getEnv: unary(logger, async ({ envId }, { tenant, signal }) => {
        const env = await envs.get(tenant, envId);
        return { env: withContainers(await encode(env), env, await envs.containers(env, signal)) };
      }),
      listEnvs: unary(logger, async (request, { tenant }) => {
        const filter = toFilter(request, tenant);
        if (filter === undefined) return { envs: [], nextPageToken: '' };
        const page = await envs.list(filter, request.pageSize, request.pageToken);
        return { envs: await Promise.all(page.items.map(encode)), nextPageToken: page.nextPageToken };
      }),
      extendEnv: unary(logger, async ({ envId, requestId, ttlMs }, { tenant }) => ({
        env: await encode(await envs.extend({ tenant, envId, requestId, ttlMs })),
      })),
      explainEnv: unary(logger, async ({ envId }, { tenant, signal }) => {
        const env = await envs.get(tenant, envId);
        const message = withContainers(await encode(env), env, await envs.containers(env, signal));
        return toExplanation(message, env, await envs.explain(env, signal), Date.now());
      }),
      reconcileEnvs: unary(logger, async ({ apply }) =>
        toReconciled(await (apply ? envs.mend() : envs.reconcile({ dryRun: true }))),
      ),
      streamEnvLogs: serverStream(logger, (request, context) =>
        readers.within(context.tenant, logs(request, context)),
      ),
      ...sharedDatabaseMethods(sharedServer, logger),
      execEnv: execEnv(sessions, logger),
      ...appMethods(envs, logger),
    },
    logger,
  );
}

function named({ envId, requestId }: { envId: string; requestId: string }): {
  envId: string;
  requestId: string;
} {
  return { envId, requestId };
}

/** Undefined: the filter names only states that no env of this version is ever in. */
function toFilter(request: ListEnvsRequest, tenant: string): EnvFilter | undefined {
  const unknown = request.states.some(
    (number) => number === EnvState.UNSPECIFIED || EnvState[number] === undefined,
  );
  if (unknown) throw invalid({ field: 'states', rule: 'must be states of an env' });
  const all = Object.keys(STATES) as (keyof typeof STATES)[];
  const states = all.filter((state) => request.states.includes(STATES[state]));
  if (request.states.length > 0 && states.length === 0) return undefined;
  return {
    tenant,
    ...(request.userId !== '' && { userId: request.userId }),
    ...(request.systemId !== '' && { systemId: request.systemId }),
    ...(request.appId !== '' && { appId: request.appId }),
    ...(Object.keys(request.labels).length > 0 && { labels: request.labels }),
    ...(states.length > 0 && { states, includeEnded: true }),
  };
}
