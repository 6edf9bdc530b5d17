import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.js';

/** Leases: who of several daemons on one database does what comes round on a timer. */
export async function createLeases(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable('leases')
    .ifNotExists()
    .addColumn('name', types.id(255), (c) => c.notNull().primaryKey())
    .addColumn('holder', types.id(64), (c) => c.notNull())
    .addColumn('until', types.int, (c) => c.notNull())
    .modifyEnd(types.tableOptions)
    .execute();
}
