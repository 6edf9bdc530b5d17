import type { ProjectContainer } from '../engine.js';
import type { Env, EnvEventBody, EnvHealth } from '../model.js';
import type { ChangeOf } from './change-at-rest.js';

/** A row that says another health, and the event of it; undefined when it says so already. */
export function healthChange(env: Env, to: EnvHealth, message: string): ReturnType<ChangeOf> {
  if (env.health === to) return undefined;
  return { patch: { health: to, healthMessage: message }, events: [healthEvent(env, to, message)] };
}

export function healthEvent(env: Env, to: EnvHealth, message: string): EnvEventBody {
  return { type: 'health_changed', from: env.health, to, message };
}

/**
 * The health of an env by the containers that it has: the worst of them. A health check that has not come to a result yet
 * says nothing against an env that answered already.
 */
export function healthOf(
  env: Env,
  containers: readonly ProjectContainer[],
): { health: EnvHealth; message: string } {
  const paused = containers.find((container) => container.state === 'paused');
  if (paused) return { health: 'unhealthy', message: `${paused.service} is paused` };
  const ended = containers.find((container) => container.state !== 'running');
  if (ended) return { health: 'unhealthy', message: howItEnded(ended) };
  const ill = containers.find((container) => container.health === 'unhealthy');
  if (ill) return { health: 'unhealthy', message: checkFails(ill.service) };
  const app = containers.find((container) => container.service === 'app');
  if (!app) return { health: 'unknown', message: '' };
  if (app.health === 'starting')
    return { health: env.health === 'healthy' ? 'healthy' : 'starting', message: '' };
  // Without a health check of its own a web app that answered once is taken for well.
  if (app.health === 'none') return { health: env.url === '' ? 'none' : 'healthy', message: '' };
  return { health: app.health, message: '' };
}

export function checkFails(service: string): string {
  return `the health check of ${service} failed as often as it may`;
}

export function howItEnded({
  service,
  exitCode,
  oomKilled,
}: Pick<ProjectContainer, 'service' | 'exitCode' | 'oomKilled'>): string {
  return oomKilled ? `${service} was killed at its memory limit` : `${service} exited with code ${exitCode}`;
}
