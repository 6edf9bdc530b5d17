import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.js';

/** Labels of executions, to find them by. No foreign key: a record is written by REPLACE, which removes a row first. */
export async function createExecutionLabels(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('execution_labels')
    .ifNotExists()
    .addColumn('execution_id', types.id(64), (c) => c.notNull())
    .addColumn('name', types.id(128), (c) => c.notNull())
    .addColumn('value', types.id(128), (c) => c.notNull())
    .addPrimaryKeyConstraint('execution_labels_key', ['execution_id', 'name'])
    .modifyEnd(types.tableOptions)
    .execute();
  await types.ensureIndex(db, 'execution_labels_by_value', 'execution_labels', [
    'name',
    'value',
    'execution_id',
  ]);
}
