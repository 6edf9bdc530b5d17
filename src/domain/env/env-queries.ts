import { invalid, isBerthError } from '../errors.js';
import { callerIdViolation } from '../ids.js';
import type { ActiveOperations } from './active-operations.js';
import type { ProjectContainer } from './engine.js';
import type { EnvServices } from './env-services.js';
import type { Env, EnvEvent, OperationError, OperationKind } from './model.js';
import { checkEnvId, envNotFound, labelsViolation } from './requests.js';
import type { EnvFilter, Page } from './store.js';

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 500;

/** What happens to an env besides its row. */
export interface EnvPresence {
  /** Empty: nothing is under way. */
  operationId: string;
  operation: OperationKind | undefined;
  /** The operation waits for a place. */
  queued: boolean;
  lastSeq: number;
  /** Of its last operation that ended otherwise than by a cancel, if that failed. */
  lastFailure: { error: OperationError; at: number } | undefined;
}

/** What can be asked of envs. The tenant is checked here, in `get`, and nowhere else: every other question goes through it. */
export class EnvQueries {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
  ) {}

  /** @throws ENV_NOT_FOUND, also for another tenant's env */
  async get(tenant: string, envId: string): Promise<Env> {
    checkEnvId(tenant, envId);
    const env = await this.services.store.get(tenant, envId);
    if (!env) throw envNotFound(envId);
    return env;
  }

  async present(env: Env): Promise<EnvPresence> {
    const { store } = this.services;
    const [lastSeq, last] = await Promise.all([store.lastSeq(env.id), store.lastOutcome(env.id)]);
    const active = this.active.find(env.id);
    return {
      operationId: active?.run.operation.id ?? '',
      operation: active?.run.plan.kind,
      queued: active?.queued ?? false,
      lastSeq,
      lastFailure: last?.error ? { error: last.error, at: last.endedAt ?? last.startedAt } : undefined,
    };
  }

  async list(filter: EnvFilter, pageSize: number, pageToken: string): Promise<Page<Env>> {
    const { tenant, userId, systemId, appId } = filter;
    const ids = { tenant, user_id: userId, system_id: systemId, app_id: appId };
    const violations = Object.entries(ids)
      .filter(([, id]) => id !== undefined)
      .map(([field, id]) => callerIdViolation(field, id ?? ''))
      .filter((violation) => violation !== undefined);
    const labels = labelsViolation(filter.labels ?? {});
    if (labels) violations.push(labels);
    if (!Number.isInteger(pageSize) || pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
      violations.push({ field: 'page_size', rule: `must be from 0 to ${MAX_PAGE_SIZE}` });
    }
    if (violations.length > 0) throw invalid(...violations);
    return await this.services.store.list(filter, pageSize || DEFAULT_PAGE_SIZE, pageToken);
  }

  async *watch(
    request: { tenant: string; envId: string; afterSeq: number; operationId?: string },
    signal: AbortSignal,
  ): AsyncIterable<EnvEvent> {
    const { tenant, envId, afterSeq, operationId } = request;
    const env = await this.get(tenant, envId);
    if (!Number.isSafeInteger(afterSeq) || afterSeq < 0) {
      throw invalid({ field: 'after_seq', rule: 'must be a whole number, not negative' });
    }
    const { events } = this.services;
    yield* operationId
      ? events.followAgain({ operationId, env, afterSeq }, signal)
      : events.subscribe(envId, afterSeq, signal);
  }

  /** A live look at the containers of an env, the app's first; none while Docker is away. */
  async containers(env: Env, signal: AbortSignal): Promise<ProjectContainer[]> {
    if (env.containerIds.length === 0) return [];
    const found = await this.services.engine.inspect(env.id, signal).catch((error: unknown) => {
      if (isBerthError(error, 'DOCKER_UNAVAILABLE')) return [];
      throw error;
    });
    return found.sort((a, b) => env.containerIds.indexOf(a.id) - env.containerIds.indexOf(b.id));
  }
}
