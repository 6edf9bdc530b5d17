import { sql, type Kysely, type RawBuilder } from 'kysely';

type ColumnType = RawBuilder<unknown>;

/** The few words in which the two databases differ when a table is made. */
export interface ColumnTypes {
  /** Up to `length` characters, compared byte by byte: ids are case sensitive. */
  id(length: number): ColumnType;
  /** Text of any length, e.g. a path. */
  text: ColumnType;
  /** JSON, as text. */
  json: ColumnType;
  /** Whole number of up to 53 bits: times, counters. */
  int: ColumnType;
  /** What follows the closing bracket of CREATE TABLE. */
  tableOptions: ColumnType;
  /** Makes an index unless it is there. */
  ensureIndex(db: Kysely<unknown>, name: string, table: string, columns: string[]): Promise<void>;
  /** Adds a column that may be NULL unless it is there. */
  ensureColumn(db: Kysely<unknown>, table: string, name: string, type: ColumnType): Promise<void>;
  /** The database's own clock in milliseconds since the epoch: daemons on one database share it. */
  now: RawBuilder<number>;
}

export const MYSQL_TYPES: ColumnTypes = {
  id: (length) => sql`varchar(${sql.lit(length)}) character set utf8mb4 collate utf8mb4_bin`,
  text: sql`mediumtext character set utf8mb4 collate utf8mb4_bin`,
  json: sql`longtext character set utf8mb4 collate utf8mb4_bin`,
  int: sql`bigint`,
  tableOptions: sql`engine = InnoDB default character set utf8mb4 collate utf8mb4_bin`,
  async ensureIndex(db, name, table, columns) {
    // MySQL has no CREATE INDEX IF NOT EXISTS; the migration lock makes the look before safe.
    const found = await sql`
      select 1 from information_schema.statistics
      where table_schema = database() and table_name = ${table} and index_name = ${name} limit 1`.execute(db);
    if (found.rows.length === 0) await db.schema.createIndex(name).on(table).columns(columns).execute();
  },
  async ensureColumn(db, table, name, type) {
    const found = await sql`
      select 1 from information_schema.columns
      where table_schema = database() and table_name = ${table} and column_name = ${name} limit 1`.execute(
      db,
    );
    if (found.rows.length === 0) await addColumn(db, table, name, type);
  },
  now: sql<number>`cast(unix_timestamp(now(3)) * 1000 as signed)`,
};

export const SQLITE_TYPES: ColumnTypes = {
  id: () => sql`text`,
  text: sql`text`,
  json: sql`text`,
  int: sql`integer`,
  tableOptions: sql`strict`,
  async ensureIndex(db, name, table, columns) {
    await db.schema.createIndex(name).ifNotExists().on(table).columns(columns).execute();
  },
  async ensureColumn(db, table, name, type) {
    const found = await sql`select 1 from pragma_table_info(${table}) where name = ${name}`.execute(db);
    if (found.rows.length === 0) await addColumn(db, table, name, type);
  },
  now: sql<number>`cast(round((julianday('now') - 2440587.5) * 86400000) as integer)`,
};

async function addColumn(db: Kysely<unknown>, table: string, name: string, type: ColumnType): Promise<void> {
  await sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${type}`.execute(db);
}
