import type { Kysely } from 'kysely';
import type { ColumnTypes } from './column-types.js';

/**
 * What an env's life needs: whose it is, how long it may live and be idle, what it was last used for, what was measured of
 * it. Columns of rows that are older stay NULL: nobody's, without an end.
 */
export async function addEnvLife(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const columns = {
    owner: types.id(255),
    host: types.id(255),
    ttl_ms: types.int,
    idle_timeout_ms: types.int,
    ready_at: types.int,
    last_activity_at: types.int,
    last_activity: types.json,
    last_extension: types.json,
    expiry_warned_for: types.int,
    idle_warned_for: types.int,
    restart_policy: types.id(32),
    health: types.id(32),
    health_message: types.text,
    database_request: types.json,
    disk_bytes: types.int,
    labels: types.json,
  };
  for (const [name, type] of Object.entries(columns)) await types.ensureColumn(db, 'envs', name, type);
}
