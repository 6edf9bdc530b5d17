import { createHash } from 'node:crypto';
import {
  DrainPoolRequest,
  PoolServiceService,
  RecycleSandboxRequest,
  ResizePoolRequest,
  WarmPoolRequest,
  type Pool,
  type PoolServiceServer,
  type WatchPoolsRequest,
  type WatchPoolsResponse,
} from '../../clients/typescript/src/gen/berth/v1/pool_service.js';
import { BerthError, invalid } from '../domain/errors.js';
import { decodePageToken, encodePageToken } from '../domain/page-token.js';
import type { PoolManager } from '../domain/pool/pool-manager.js';
import type { SandboxPool } from '../domain/pool/pool.js';
import { RequestReplay } from '../domain/request-replay.js';
import type { Logger } from '../telemetry/logger.js';
import { serverStream, service, unary, type CallContext, type Service } from './calls.js';
import { toPageSize } from './conventions.js';
import type { ExecuteDefaults } from './execute-request.js';
import { toPoolEvent } from './pool-events.js';
import { toBudget, toPool } from './pool-messages.js';
import {
  changedSettings,
  checkNoSettings,
  checkRequestId,
  checkWarmCount,
  checkWatch,
  required,
  toDrainTimeout,
  toSpecRequest,
} from './pool-requests.js';

/** What a mutation answers: the pool and, for a drain, how many executions were ended. */
interface Changed {
  pool: Pool;
  cancelledExecutions: number;
}

/** PoolService over the pool manager. `host`: name of the host that the sandboxes are on. */
export function poolService(
  pools: PoolManager,
  { defaults, host }: { defaults: ExecuteDefaults; host: string },
  logger: Logger,
): Service {
  const replay = new RequestReplay<Changed>();
  const answer = (pool: SandboxPool, cancelledExecutions = 0): Changed => ({
    pool: toPool(pool, host, true),
    cancelledExecutions,
  });

  /** A mutation: it has a `request_id`, and its work goes on when the caller goes away. */
  const change = <Request extends { requestId: string }, Response>(
    kind: { $type?: string; encode(message: Request): { finish(): Uint8Array } },
    name: string,
    work: (request: Request) => Promise<Changed>,
    respond: (changed: Changed) => Response,
  ) =>
    unary(logger, async (request: Request, { tenant, signal }: CallContext) => {
      checkRequestId(request.requestId);
      const digest = createHash('sha256').update(kind.encode(request).finish()).digest('hex');
      const id = { scope: `${tenant}\n${name}`, requestId: request.requestId, digest };
      return respond(await replay.run(id, signal, () => work(request)));
    });

  async function warm(request: WarmPoolRequest): Promise<Changed> {
    checkWarmCount(request);
    const pool = await poolToWarm(pools, request, defaults);
    const warming = pool.warm(request.count > 0 ? request.count : pool.settings.initial);
    if (request.noWait)
      warming.catch((error: unknown) =>
        logger.warn({ pool: pool.id, err: error }, 'a pool could not be warmed'),
      );
    else await warming;
    return answer(pool);
  }

  async function* watch(
    request: WatchPoolsRequest,
    { signal }: CallContext,
  ): AsyncGenerator<WatchPoolsResponse> {
    checkWatch(request);
    for await (const event of pools.watch({ ...request, signal })) yield { event: toPoolEvent(event, host) };
  }

  return service<PoolServiceServer>(
    PoolServiceService,
    {
      listPools: unary(logger, ({ pageSize, pageToken }) => {
        const { page, nextPageToken } = pageOf(pools.pools(), pageSize, pageToken);
        return {
          pools: page.map((pool) => toPool(pool, host, false)),
          nextPageToken,
          poolEnabled: pools.pooling,
          budget: toBudget(pools.budget),
        };
      }),
      getPool: unary(logger, ({ poolId }) => ({
        poolEnabled: pools.pooling,
        pool: pools.pooling ? toPool(pools.get(poolId), host, true) : undefined,
        timestamp: new Date(),
      })),
      watchPools: serverStream(logger, watch),
      resizePool: change(
        ResizePoolRequest,
        'ResizePool',
        async (request) => {
          const pool = pools.get(required(request.poolId, 'pool_id'));
          pool.resize(changedSettings(pool.settings, request));
          return answer(pool);
        },
        ({ pool }) => ({ pool }),
      ),
      warmPool: change(WarmPoolRequest, 'WarmPool', warm, ({ pool }) => ({ pool })),
      drainPool: change(
        DrainPoolRequest,
        'DrainPool',
        async (request) => {
          const pool = pools.get(required(request.poolId, 'pool_id'));
          const timeoutMs = toDrainTimeout(request.timeoutMs);
          return answer(pool, await pools.drain(pool, timeoutMs, request.remove));
        },
        ({ pool, cancelledExecutions }) => ({ pool, cancelledExecutions }),
      ),
      recycleSandbox: change(
        RecycleSandboxRequest,
        'RecycleSandbox',
        async ({ sandboxId, force }) => answer(await pools.recycle(required(sandboxId, 'sandbox_id'), force)),
        ({ pool }) => ({ pool }),
      ),
    },
    logger,
  );
}

async function poolToWarm(
  pools: PoolManager,
  request: WarmPoolRequest,
  defaults: ExecuteDefaults,
): Promise<SandboxPool> {
  const { target } = request;
  if (target === undefined) throw invalid({ field: 'pool_id', rule: 'pool_id or spec is required' });
  if (!pools.pooling)
    throw new BerthError(
      'POOL_DISABLED',
      'pools are switched off on this daemon; set pool.pooling to on (BERTH_POOL_POOLING)',
    );
  if (target.$case === 'poolId') {
    checkNoSettings(request);
    return pools.get(required(target.value, 'pool_id'));
  }
  const settings = changedSettings(pools.settings, request);
  return pools.poolFor(await pools.specOf(toSpecRequest(target.value, defaults)), settings);
}

/** @throws BerthError PAGE_TOKEN_INVALID, INVALID_ARGUMENT */
function pageOf(
  pools: SandboxPool[],
  pageSize: number,
  pageToken: string,
): { page: SandboxPool[]; nextPageToken: string } {
  const most = toPageSize(pageSize);
  const query = 'ListPools';
  const after = decodePageToken(pageToken, query);
  // Oldest first; those made in the same millisecond keep their order by id.
  const sorted = [...pools].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const rest =
    after === undefined
      ? sorted
      : sorted.filter(
          (pool) =>
            pool.createdAt > after.createdAt || (pool.createdAt === after.createdAt && pool.id > after.id),
        );
  const page = rest.slice(0, most);
  const last = page.at(-1);
  const hasMore = last !== undefined && rest.length > page.length;
  return {
    page,
    nextPageToken: hasMore ? encodePageToken({ createdAt: last.createdAt, id: last.id }, query) : '',
  };
}
