import type { Env, EnvActivity, EnvEventBody, OperationKind } from '../model.js';
import type { Run } from '../operation-run.js';
import type { EnvPatch } from '../store.js';

/** Operations that somebody asked for, by the names of their methods. */
const METHODS: Partial<Record<OperationKind, string>> = {
  deploy: 'DeployEnv',
  start: 'StartEnv',
  reset: 'ResetEnv',
  stop: 'StopEnv',
};

/**
 * What a successful operation does to an env's time: it is an activity, but for a stop that berthd began by itself; a
 * deployment gives the whole time to live anew, from now on, when it is ready and not when it was asked for. What
 * ExtendEnv gave while it was under way stays.
 * @param row the env as it is committed, of before this
 */
export function lifeAfter(run: Run, row: Env, now: number): { patch: EnvPatch; events: EnvEventBody[] } {
  const { plan, context, operation } = run;
  const method = METHODS[plan.kind];
  if (method === undefined) return { patch: {}, events: [] };
  const activity: EnvActivity = { at: now, kind: 'operation', detail: method };
  const becameReady = plan.states.success === 'running' && plan.steps.length > 0;
  const patch: EnvPatch = {
    ...plan.life,
    ...(!(plan.byItself && plan.kind === 'stop') && { lastActivity: activity }),
    ...(becameReady && { readyAt: now }),
  };
  const events: EnvEventBody[] = [];
  const { env } = context;
  // What the operation saw itself: a web app answered. From here on Docker's events tell.
  const health = plan.states.success !== 'running' ? 'unknown' : env.url === '' ? 'none' : 'healthy';
  if (plan.steps.length > 0 && health !== env.health) {
    events.push({ type: 'health_changed', from: env.health, to: health, message: '' });
    Object.assign(patch, { health, healthMessage: '' });
  }
  const ttlMs = plan.life?.ttlMs ?? env.ttlMs;
  if (plan.kind === 'deploy' && ttlMs > 0) {
    const expiresAt = now + ttlMs;
    const uses = [row.lastExtension, row.lastActivity];
    const given = uses.some((use) => use?.kind === 'extended' && use.at >= operation.startedAt);
    if (!(given && (row.expiresAt ?? 0) >= expiresAt)) {
      Object.assign(patch, { expiresAt, lastExtension: activity });
      events.push({ type: 'expiry_changed', expiresAt, cause: 'operation' });
    }
  }
  return { patch, events };
}
