import type { Kysely, Migration, MigrationProvider } from 'kysely';
import { createEnvs } from './0001-envs.js';
import { createOperations } from './0002-operations.js';
import { createCheckpoints } from './0003-checkpoints.js';
import { createEnvEvents } from './0004-env-events.js';
import { createPortUsage } from './0005-port-usage.js';
import { createExecutions } from './0006-executions.js';
import { createExecutionLabels } from './0007-execution-labels.js';
import { addEnvLife } from './0008-env-life.js';
import { createLeases } from './0009-leases.js';
import { createEnvLabels } from './0010-env-labels.js';
import type { ColumnTypes } from './column-types.js';

type Step = (db: Kysely<unknown>, types: ColumnTypes) => Promise<void>;

/**
 * Every migration in order, by the name under which a database remembers it. Names never change once released. MySQL commits
 * each DDL statement by itself, so a step can be cut off anywhere: it makes little, and what exists already is left as it is.
 */
const STEPS: Record<string, Step> = {
  '0001-envs': createEnvs,
  '0002-operations': createOperations,
  '0003-checkpoints': createCheckpoints,
  '0004-env-events': createEnvEvents,
  '0005-port-usage': createPortUsage,
  '0006-executions': createExecutions,
  '0007-execution-labels': createExecutionLabels,
  '0008-env-life': addEnvLife,
  '0009-leases': createLeases,
  '0010-env-labels': createEnvLabels,
};

/** The migrations in the words of one database. */
export function migrationProvider(types: ColumnTypes): MigrationProvider {
  return {
    async getMigrations(): Promise<Record<string, Migration>> {
      return Object.fromEntries(
        Object.entries(STEPS).map(([name, step]) => [name, { up: (db: Kysely<unknown>) => step(db, types) }]),
      );
    },
  };
}
