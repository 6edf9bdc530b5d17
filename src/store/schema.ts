import type { Kysely, Transaction } from 'kysely';

/** The tables as columns come and go. Times are milliseconds since the epoch; JSON is text. */
export interface Schema {
  envs: EnvTable;
  operations: OperationTable;
  checkpoints: CheckpointTable;
  env_events: EnvEventTable;
  env_labels: EnvLabelTable;
  port_usage: PortUsageTable;
  leases: LeaseTable;
  executions: ExecutionTable;
  execution_labels: ExecutionLabelTable;
}

export type Database = Kysely<Schema>;
export type Trx = Transaction<Schema>;

export interface EnvTable {
  id: string;
  tenant: string;
  user_id: string;
  system_id: string;
  app_id: string;
  /** 1 while the env holds its key, NULL once it ended: UNIQUE ignores NULL, so any number of ended envs may share a key. */
  live: 1 | null;
  state: string;
  state_reason: string;
  app_digest: string;
  runtime: string;
  port: number | null;
  url: string;
  directory: string;
  app_directory: string;
  container_ids: string;
  /** `seq` of the newest event. Raising it locks the row, which puts all writers of an env in line. */
  last_seq: number;
  created_at: number;
  updated_at: number;
  expires_at: number | null;
  // NULL in rows of before migration 0008.
  owner: string | null;
  host: string | null;
  ttl_ms: number | null;
  idle_timeout_ms: number | null;
  ready_at: number | null;
  last_activity_at: number | null;
  last_activity: string | null;
  last_extension: string | null;
  expiry_warned_for: number | null;
  idle_warned_for: number | null;
  restart_policy: string | null;
  health: string | null;
  health_message: string | null;
  database_request: string | null;
  disk_bytes: number | null;
  labels: string | null;
}

export interface EnvLabelTable {
  env_id: string;
  name: string;
  value: string;
}

export interface LeaseTable {
  name: string;
  holder: string;
  /** By the database's clock. */
  until: number;
}

export interface OperationTable {
  id: string;
  env_id: string;
  tenant: string;
  kind: string;
  state: string;
  /** NULL where the caller gave none, so that UNIQUE (tenant, request_id) ignores it. */
  request_id: string | null;
  request_digest: string;
  started_at: number;
  ended_at: number | null;
  error: string | null;
  input: string;
}

export interface CheckpointTable {
  operation_id: string;
  ordinal: number;
  step: string;
  state: string;
  data: string;
  started_at: number;
  ended_at: number | null;
}

export interface EnvEventTable {
  env_id: string;
  seq: number;
  operation_id: string;
  time: number;
  body: string;
}

export interface PortUsageTable {
  port: number;
  status: 'USED' | 'FREE';
  env_id: string | null;
  allocated_at: number | null;
}

export interface ExecutionTable {
  id: string;
  tenant: string;
  owner: string;
  life: string;
  request_id: string | null;
  /** The request id of a durable execution, else NULL, so that UNIQUE (tenant, durable_request_id) ignores it. */
  durable_request_id: string | null;
  request_digest: string;
  state: string;
  sandbox_id: string | null;
  end_reason: string | null;
  task_id: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
  last_seq: number;
  labels: string;
  started: string | null;
  ended: string | null;
  failure: string | null;
}

export interface ExecutionLabelTable {
  execution_id: string;
  name: string;
  value: string;
}
