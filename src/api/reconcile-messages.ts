import type {
  ReconcileEnvsResponse,
  StrayResource,
} from '../../clients/typescript/src/gen/berth/v1/env_service.js';
import type { UndoneThing } from '../domain/env/model.js';
import type { ReconcileReport } from '../domain/env/reconcile.js';
import { RESOURCES } from './env-messages.js';

export function toReconciled(report: ReconcileReport): ReconcileEnvsResponse {
  return {
    strays: [
      ...report.things.map(({ kind, name, id, envId }) => stray(kind, name, envId, id === name ? '' : id)),
      ...report.directories.map(({ envId, directory }) => stray('directory', directory, envId)),
      ...report.databases.map(({ kind, name, envId }) => stray(kind, name, envId)),
      ...report.ports.map(({ envId, port }) => stray('port', String(port), envId)),
    ],
    incomplete: report.incomplete,
    errors: report.errors,
  };
}

function stray(kind: UndoneThing['kind'], name: string, envId: string, id = ''): StrayResource {
  return { resource: { kind: RESOURCES[kind], name, id, state: '' }, envId };
}
