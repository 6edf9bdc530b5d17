import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.js';

/**
 * Executions, written behind. A request id is used once in a tenant among the durable ones, which are committed before they
 * run; others may repeat in another life of the daemon.
 */
export async function createExecutions(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('executions')
    .ifNotExists()
    .addColumn('id', types.id(64), (c) => c.notNull().primaryKey())
    .addColumn('tenant', types.id(64), (c) => c.notNull())
    .addColumn('owner', types.id(255), (c) => c.notNull())
    .addColumn('life', types.id(64), (c) => c.notNull())
    .addColumn('request_id', types.id(128))
    .addColumn('durable_request_id', types.id(128))
    .addColumn('request_digest', types.id(128), (c) => c.notNull())
    .addColumn('state', types.id(32), (c) => c.notNull())
    .addColumn('sandbox_id', types.id(64))
    .addColumn('end_reason', types.id(32))
    .addColumn('task_id', types.id(64))
    .addColumn('created_at', types.int, (c) => c.notNull())
    .addColumn('started_at', types.int)
    .addColumn('ended_at', types.int)
    .addColumn('last_seq', types.int, (c) => c.notNull())
    .addColumn('labels', types.json, (c) => c.notNull())
    .addColumn('started', types.json)
    .addColumn('ended', types.json)
    .addColumn('failure', types.json)
    .addUniqueConstraint('executions_durable_request', ['tenant', 'durable_request_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await types.ensureIndex(db, 'executions_newest', 'executions', ['tenant', 'created_at', 'id']);
  await types.ensureIndex(db, 'executions_by_request', 'executions', ['tenant', 'request_id']);
  await types.ensureIndex(db, 'executions_unended', 'executions', ['owner', 'state']);
  await types.ensureIndex(db, 'executions_oldest', 'executions', ['owner', 'created_at', 'id']);
}
