import type { ProjectEvent } from '../../../domain/env/engine.js';
import { ENV_LABEL, KIND_LABEL } from '../labels.js';
import type { DockerEvent } from '../worker/stream-messages.js';
import { PROJECT_LABEL, SERVICE_LABEL } from './compose-labels.js';

const HEALTH_PREFIX = 'health_status: ';
const EXEC_START_PREFIX = 'exec_start: ';

/** The event of an env's container with the env's id, or nothing for other containers and what is not watched. */
export function envEvent(event: DockerEvent): { envId: string; event: ProjectEvent } | undefined {
  const { attributes } = event;
  const envId = attributes[KIND_LABEL] === 'env' ? attributes[ENV_LABEL] : undefined;
  const known = envId && projectEvent(event, attributes[PROJECT_LABEL] ?? '');
  return known ? { envId, event: known } : undefined;
}

/** The event of a project, or nothing for other projects' events and those that are not watched. */
export function projectEvent(event: DockerEvent, projectName: string): ProjectEvent | undefined {
  const { attributes } = event;
  if (attributes[PROJECT_LABEL] !== projectName) return undefined;
  const base = {
    service: attributes[SERVICE_LABEL] ?? '',
    containerId: event.actorId,
    time: event.time,
  };
  switch (event.action) {
    case 'start':
    case 'oom':
    case 'destroy':
    case 'exec_die':
      return { ...base, action: event.action };
    case 'die':
      return { ...base, action: 'die', exitCode: Number(attributes['exitCode'] ?? 0) };
  }
  if (event.action.startsWith(EXEC_START_PREFIX)) return { ...base, action: 'exec_start' };
  const health = event.action.startsWith(HEALTH_PREFIX) ? event.action.slice(HEALTH_PREFIX.length) : '';
  switch (health) {
    case 'healthy':
    case 'unhealthy':
    case 'starting':
      return { ...base, action: 'health_status', health };
    default:
      return undefined;
  }
}
