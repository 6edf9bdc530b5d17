import type { EnvConfig } from '../config.js';
import type { Env } from '../model.js';
import type { DeployRequest } from '../requests.js';

/** What a request says of an env's life, with the defaults filled in. */
export type RequestedLife = Pick<Env, 'ttlMs' | 'idleTimeoutMs' | 'restartPolicy' | 'labels'>;

export function requestedLife(request: DeployRequest, config: EnvConfig): RequestedLife {
  return {
    ttlMs: request.ttlMs || config.ttlMs,
    idleTimeoutMs: request.idleTimeoutMs || config.idleTimeoutMs,
    restartPolicy: request.restartPolicy ?? 'unless_stopped',
    labels: request.labels ?? {},
  };
}

/** The life of an env at its very beginning: its time runs only from its first success on. */
export function newLife({ owner, host }: EnvConfig, requested: RequestedLife, now: number) {
  return {
    ...requested,
    owner,
    host,
    expiresAt: null,
    readyAt: null,
    lastActivity: { at: now, kind: 'operation', detail: 'DeployEnv' },
    lastExtension: null,
    expiryWarnedFor: null,
    idleWarnedFor: null,
    health: 'unknown',
    healthMessage: '',
    database: null,
    diskBytes: 0,
  } satisfies Partial<Env>;
}
