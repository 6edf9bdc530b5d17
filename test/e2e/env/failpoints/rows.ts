import Database from 'libsql';

export interface EnvRow {
  id: string;
  state: string;
  state_reason: string;
  port: number | null;
  directory: string;
  containers: string[];
  /** Name of the database provider; empty: none. */
  database: string;
}

/** What berthd committed, read from its SQLite file beside it. */
export interface Rows {
  live: EnvRow[];
  unfinished: { id: string; env_id: string; kind: string; state: string }[];
  ports: { port: number; env_id: string }[];
  /** Events by env, in their order. */
  events: Map<string, { seq: number; operation: string; type: string }[]>;
}

export function readRows(path: string): Rows {
  const db = new Database(path, { readonly: true });
  try {
    const all = <T>(sql: string): T[] => db.prepare(sql).all() as T[];
    const live = all<EnvRow & { container_ids: string; database_request: string | null }>(
      'SELECT * FROM envs WHERE live = 1',
    ).map((row) => ({
      ...row,
      containers: JSON.parse(row.container_ids) as string[],
      database: row.database_request === null ? '' : providerOf(row.database_request),
    }));
    const events: Rows['events'] = new Map();
    for (const { env_id, seq, operation_id, body } of all<{
      env_id: string;
      seq: number;
      operation_id: string;
      body: string;
    }>('SELECT env_id, seq, operation_id, body FROM env_events ORDER BY env_id, seq')) {
      const own = events.get(env_id) ?? [];
      events.set(env_id, own);
      own.push({ seq, operation: operation_id, type: (JSON.parse(body) as { type: string }).type });
    }
    return {
      live,
      unfinished: all(
        "SELECT id, env_id, kind, state FROM operations WHERE state IN ('running', 'undoing', 'undo_incomplete')",
      ),
      ports: all("SELECT port, env_id FROM port_usage WHERE status = 'USED'"),
      events,
    };
  } finally {
    db.close();
  }
}

function providerOf(request: string): string {
  return (JSON.parse(request) as { provider?: string }).provider ?? '';
}
