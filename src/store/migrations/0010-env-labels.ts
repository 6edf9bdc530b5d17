import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.js';

/** Labels of envs, to find them by. The row of the env has them too, as it is shown. */
export async function createEnvLabels(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('env_labels')
    .ifNotExists()
    .addColumn('env_id', types.id(64), (c) => c.notNull())
    .addColumn('name', types.id(128), (c) => c.notNull())
    .addColumn('value', types.id(128), (c) => c.notNull())
    .addPrimaryKeyConstraint('env_labels_key', ['env_id', 'name'])
    .addForeignKeyConstraint('env_labels_of_env', ['env_id'], 'envs', ['id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await types.ensureIndex(db, 'env_labels_by_value', 'env_labels', ['name', 'value', 'env_id']);
}
