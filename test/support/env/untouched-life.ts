import type { newLife } from '../../../src/domain/env/life/settings.js';

/** What an env row says of a life to which nothing has happened yet. */
export const UNTOUCHED_LIFE: ReturnType<typeof newLife> = {
  owner: 'test',
  host: 'here',
  ttlMs: 3_600_000,
  idleTimeoutMs: 7_200_000,
  readyAt: null,
  lastActivity: { at: 1_700_000_000_000, kind: 'operation', detail: 'DeployEnv' },
  lastExtension: null,
  expiryWarnedFor: null,
  idleWarnedFor: null,
  restartPolicy: 'unless_stopped',
  health: 'unknown',
  healthMessage: '',
  database: null,
  diskBytes: 0,
  labels: {},
  expiresAt: null,
};
