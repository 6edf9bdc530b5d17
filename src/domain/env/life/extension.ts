import { BerthError, invalid } from '../../errors.js';
import type { EnvServices } from '../env-services.js';
import { ENDED_STATES, type Env, type EnvActivity } from '../model.js';
import { answering, requestRecord } from '../request-record.js';
import {
  checkEnvRequest,
  digestOfRequest,
  envNotFound,
  keyText,
  MAX_TTL_MS,
  rangeViolation,
  type EnvRequest,
} from '../requests.js';
import { stateRefuses } from '../state-refusal.js';
import { spanText } from './span.js';

export interface ExtendRequest extends EnvRequest {
  /** Time to live from now on; 0: what the env was deployed with. */
  ttlMs: number;
}

/** Gives envs more time. Recorded as an operation that is over, so that its request id replays. */
export class Extensions {
  constructor(private readonly services: EnvServices) {}

  /** See EnvOperations.extend. */
  async extend(request: ExtendRequest): Promise<Env> {
    checkEnvRequest(request);
    const violation = rangeViolation('ttl_ms', request.ttlMs, MAX_TTL_MS);
    if (violation) throw invalid(violation);
    const { store, locks } = this.services;
    const { tenant, envId } = request;
    const env = await store.get(tenant, envId);
    if (!env) throw envNotFound(envId);
    await locks.run(keyText(env), () => this.#extend(request));
    return (await store.get(tenant, envId)) ?? env;
  }

  async #extend(request: ExtendRequest): Promise<void> {
    const { store, events, clock } = this.services;
    const { tenant, envId, requestId } = request;
    const digest = digestOfRequest('extend', request);
    const before = requestId === '' ? undefined : await store.findOperationByRequest(tenant, requestId);
    if (before) {
      if (before.requestDigest === digest) return;
      throw new BerthError(
        'REQUEST_ID_REUSED',
        `request_id ${requestId} was used for another request; use a new id`,
        {
          metadata: { operation_id: answering(before) },
        },
      );
    }
    const env = await store.get(tenant, envId);
    if (!env) throw envNotFound(envId);
    if (ENDED_STATES.includes(env.state) || env.state === 'destroying') throw stateRefuses('extend', env);
    if (env.expiresAt === null && env.state === 'deploying') {
      throw stateRefuses('extend', env, 'its time begins when it is ready');
    }
    const now = clock.now();
    const ttlMs = request.ttlMs || env.ttlMs;
    const activity: EnvActivity = { at: now, kind: 'extended', detail: `ExtendEnv by ${spanText(ttlMs)}` };
    const expiresAt = env.expiresAt === null ? null : Math.max(env.expiresAt, now + ttlMs);
    const longer = expiresAt !== env.expiresAt;
    await events.commit({
      env: {
        id: envId,
        patch: { lastActivity: activity, ...(longer && { expiresAt, lastExtension: activity }) },
      },
      newOperation: requestRecord('extend', env, { requestId, requestDigest: digest, at: now }),
      events: longer
        ? [{ envId, operationId: '', body: { type: 'expiry_changed', expiresAt, cause: 'extended' } }]
        : [],
    });
  }
}
