import { OutputStream } from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  EnvServiceService,
  EnvState,
  type DeployEnvRequest,
  type Env as EnvMessage,
  type EnvEvent as EventMessage,
  type EnvServiceServer,
  type ListEnvsRequest,
  type StartEnvRequest,
  type StreamEnvLogsRequest,
  type StreamEnvLogsResponse,
  type WatchEnvRequest,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import { BerthError, invalid } from '../domain/errors.js';
import type { LogEntry } from '../domain/env/env-queries.js';
import type { OperationHandle } from '../domain/env/event-log.js';
import type { Env, EnvEvent } from '../domain/env/model.js';
import type { EnvOperations } from '../domain/env/operations.js';
import type { EnvFilter } from '../domain/env/store.js';
import type { Logger } from '../telemetry/logger.js';
import { appMethods } from './app-methods.js';
import { service, serverStream, type Service, unary, type CallContext } from './calls.js';
import { toDeployRequest } from './deploy-request.js';
import { STATES, toEnv, toEnvEvent, withContainers } from './env-messages.js';
import { refuseUnbuilt } from './unbuilt.js';

type EventResponse = { event: EventMessage };

/** EnvService over the env domain. */
export function envService(envs: EnvOperations, logger: Logger): Service {
  const encode = async (env: Env): Promise<EnvMessage> => {
    const { operation, lastSeq } = await envs.present(env);
    return toEnv(env, { operationId: operation?.operationId ?? '', lastSeq });
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
    refuseUnbuiltLogFields(request);
    const [only] = request.services;
    const options = {
      follow: request.follow,
      ...(request.tail !== undefined && { tail: request.tail }),
      ...(request.since !== undefined && { since: request.since.getTime() }),
    };
    const named = {
      tenant,
      envId: request.envId,
      after: request.after,
      ...(only !== undefined && { service: only }),
    };
    for await (const entry of envs.logs(named, options, signal)) yield toLogEntry(entry);
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
      startEnv: operation<StartEnvRequest>((request, { tenant, signal }) => {
        if (request.readyTimeoutMs !== 0)
          throw new BerthError('NOT_BUILT', 'ready_timeout_ms is not built yet; leave it out');
        return envs.start({ tenant, ...named(request) }, signal);
      }),
      destroyEnv: operation<{ envId: string; requestId: string }>((request, { tenant, signal }) =>
        envs.destroy({ tenant, ...named(request) }, signal),
      ),
      watchEnv: serverStream(logger, watch),
      getEnv: unary(logger, async ({ envId }, { tenant, signal }) => {
        const env = await envs.get(tenant, envId);
        return { env: withContainers(await encode(env), await envs.containers(env, signal)) };
      }),
      listEnvs: unary(logger, async (request, { tenant }) => {
        const filter = toFilter(request, tenant);
        if (filter === undefined) return { envs: [], nextPageToken: '' };
        const page = await envs.list(filter, request.pageSize, request.pageToken);
        return { envs: await Promise.all(page.items.map(encode)), nextPageToken: page.nextPageToken };
      }),
      streamEnvLogs: serverStream(logger, logs),
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
  if (Object.keys(request.labels).length > 0)
    throw new BerthError('NOT_BUILT', 'labels are not built yet; leave the filter out');
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
    ...(states.length > 0 && { states, includeEnded: true }),
  };
}

function refuseUnbuiltLogFields(request: StreamEnvLogsRequest): void {
  refuseUnbuilt([
    ['until', request.until !== undefined],
    ['contains', request.contains !== ''],
    ['stream', request.stream !== OutputStream.UNSPECIFIED],
    ['services', request.services.length > 1],
  ]);
}

function toLogEntry({ service, chunk, cursor }: LogEntry): StreamEnvLogsResponse {
  const stream = chunk.stream === 'stdout' ? OutputStream.STDOUT : OutputStream.STDERR;
  return {
    cursor,
    entry: {
      $case: 'line',
      value: { service, stream, time: new Date(chunk.timestamp), text: withoutEnd(chunk.data) },
    },
  };
}

function withoutEnd(line: Uint8Array): Buffer {
  const buffer = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  return buffer.at(-1) === 0x0a ? buffer.subarray(0, -1) : buffer;
}
