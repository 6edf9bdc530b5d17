import {
  SharedDatabaseState,
  type EnvServiceServer,
  type SharedDatabase,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { SharedServer, SharedServerView } from '../domain/database/shared-server.js';
import { SERVER_HOST, SERVER_PORT } from '../domain/database/server-engine.js';
import { RequestReplay } from '../domain/request-replay.js';
import { invalid } from '../domain/errors.js';
import type { Logger } from '../telemetry/logger.js';
import { unary } from './calls.js';
import { requestIdViolation } from './conventions.js';

const STATES: Record<SharedServerView['state'], SharedDatabaseState> = {
  absent: SharedDatabaseState.ABSENT,
  starting: SharedDatabaseState.STARTING,
  ready: SharedDatabaseState.READY,
  unhealthy: SharedDatabaseState.UNHEALTHY,
};

/** The methods of EnvService about the shared database server. */
export function sharedDatabaseMethods(
  server: SharedServer,
  logger: Logger,
): Pick<EnvServiceServer, 'getSharedDatabase' | 'ensureSharedDatabase'> {
  const replay = new RequestReplay<SharedDatabase>();

  /** Goes on when its caller goes away: no signal of a call is in here. */
  async function ensure(): Promise<SharedDatabase> {
    await server.ensure(new AbortController().signal);
    return toSharedDatabase(await server.look(new AbortController().signal));
  }

  return {
    getSharedDatabase: unary(logger, async (_, { signal }) => ({
      database: toSharedDatabase(await server.look(signal)),
    })),
    ensureSharedDatabase: unary(logger, async ({ requestId }: { requestId: string }, { tenant, signal }) => {
      const violation = requestIdViolation(requestId);
      if (violation) throw invalid(violation);
      const id = { scope: `${tenant}\nEnsureSharedDatabase`, requestId, digest: '' };
      return { database: await replay.run(id, signal, ensure) };
    }),
  };
}

function toSharedDatabase({
  state,
  server,
  facts,
  creationAllowed,
  message,
}: SharedServerView): SharedDatabase {
  const there = server !== undefined;
  return {
    state: STATES[state],
    containerId: server?.containerId ?? '',
    containerName: server?.containerName ?? '',
    image: server?.image ?? '',
    version: facts?.version ?? '',
    host: there ? SERVER_HOST : '',
    port: there ? SERVER_PORT : 0,
    schemaCount: facts?.schemas ?? 0,
    connections: facts?.connections ?? 0,
    maxConnections: facts?.maxConnections ?? 0,
    dataBytes: facts?.dataBytes ?? 0,
    creationAllowed,
    message,
    createTime: server && new Date(server.createdAt),
  };
}
