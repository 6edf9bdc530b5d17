import type { Selectable } from 'kysely';
import {
  ENDED_STATES,
  type Env,
  type EnvActivity,
  type EnvDatabase,
  type EnvState,
} from '../../domain/env/model.js';
import type { EnvPatch } from '../../domain/env/store.js';
import type { EnvTable } from '../schema.js';
import { fromJson, plainText } from './text.js';

export function envToRow(env: Env, lastSeq: number): EnvTable {
  return {
    id: env.id,
    tenant: env.tenant,
    user_id: env.userId,
    system_id: env.systemId,
    app_id: env.appId,
    live: isEnded(env.state) ? null : 1,
    state: env.state,
    state_reason: plainText(env.stateReason),
    app_digest: env.appDigest,
    runtime: env.runtime,
    port: env.port,
    url: env.url,
    directory: env.directory,
    app_directory: env.appDirectory,
    container_ids: JSON.stringify(env.containerIds),
    last_seq: lastSeq,
    created_at: env.createdAt,
    updated_at: env.updatedAt,
    expires_at: env.expiresAt,
    owner: env.owner,
    host: env.host,
    ttl_ms: env.ttlMs,
    idle_timeout_ms: env.idleTimeoutMs,
    ready_at: env.readyAt,
    ...activityColumns(env.lastActivity),
    last_extension: orNull(env.lastExtension),
    expiry_warned_for: env.expiryWarnedFor,
    idle_warned_for: env.idleWarnedFor,
    restart_policy: env.restartPolicy,
    health: env.health,
    health_message: plainText(env.healthMessage),
    database_request: orNull(env.database),
    disk_bytes: env.diskBytes,
    labels: JSON.stringify(env.labels),
  };
}

export function envFromRow(row: Selectable<EnvTable>): Env {
  return {
    id: row.id,
    tenant: row.tenant,
    userId: row.user_id,
    systemId: row.system_id,
    appId: row.app_id,
    state: row.state as EnvState,
    stateReason: row.state_reason,
    appDigest: row.app_digest,
    runtime: row.runtime,
    port: row.port,
    url: row.url,
    directory: row.directory,
    appDirectory: row.app_directory,
    containerIds: fromJson<string[]>(row.container_ids),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
    owner: row.owner ?? '',
    host: row.host ?? '',
    ttlMs: row.ttl_ms ?? 0,
    idleTimeoutMs: row.idle_timeout_ms ?? 0,
    readyAt: row.ready_at,
    lastActivity: fromNullable<EnvActivity>(row.last_activity),
    lastExtension: fromNullable<EnvActivity>(row.last_extension),
    expiryWarnedFor: row.expiry_warned_for,
    idleWarnedFor: row.idle_warned_for,
    restartPolicy: row.restart_policy === 'no' ? 'no' : 'unless_stopped',
    health: (row.health ?? 'unknown') as Env['health'],
    healthMessage: row.health_message ?? '',
    database: fromNullable<EnvDatabase>(row.database_request),
    diskBytes: row.disk_bytes ?? 0,
    labels: fromNullable<Record<string, string>>(row.labels) ?? {},
  };
}

/** The columns of the last activity: the time by itself too, so that an older one never overwrites a newer. */
export function activityColumns(
  activity: EnvActivity | null,
): Pick<EnvTable, 'last_activity_at' | 'last_activity'> {
  return { last_activity_at: activity?.at ?? null, last_activity: orNull(activity) };
}

function orNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromNullable<T>(json: string | null): T | null {
  return json === null ? null : fromJson<T>(json);
}

/** The columns that a patch sets. An ended state frees the key. */
export function patchToRow(patch: EnvPatch): Partial<EnvTable> {
  const row: Partial<EnvTable> = {};
  if (patch.state !== undefined) {
    row.state = patch.state;
    if (isEnded(patch.state)) row.live = null;
  }
  if (patch.stateReason !== undefined) row.state_reason = plainText(patch.stateReason);
  if (patch.appDigest !== undefined) row.app_digest = patch.appDigest;
  if (patch.runtime !== undefined) row.runtime = patch.runtime;
  if (patch.port !== undefined) row.port = patch.port;
  if (patch.url !== undefined) row.url = patch.url;
  if (patch.directory !== undefined) row.directory = patch.directory;
  if (patch.appDirectory !== undefined) row.app_directory = patch.appDirectory;
  if (patch.containerIds !== undefined) row.container_ids = JSON.stringify(patch.containerIds);
  if (patch.expiresAt !== undefined) row.expires_at = patch.expiresAt;
  if (patch.ttlMs !== undefined) row.ttl_ms = patch.ttlMs;
  if (patch.idleTimeoutMs !== undefined) row.idle_timeout_ms = patch.idleTimeoutMs;
  if (patch.readyAt !== undefined) row.ready_at = patch.readyAt;
  if (patch.lastActivity !== undefined) Object.assign(row, activityColumns(patch.lastActivity));
  if (patch.lastExtension !== undefined) row.last_extension = orNull(patch.lastExtension);
  if (patch.expiryWarnedFor !== undefined) row.expiry_warned_for = patch.expiryWarnedFor;
  if (patch.idleWarnedFor !== undefined) row.idle_warned_for = patch.idleWarnedFor;
  if (patch.restartPolicy !== undefined) row.restart_policy = patch.restartPolicy;
  if (patch.health !== undefined) row.health = patch.health;
  if (patch.healthMessage !== undefined) row.health_message = plainText(patch.healthMessage);
  if (patch.database !== undefined) row.database_request = orNull(patch.database);
  if (patch.labels !== undefined) row.labels = JSON.stringify(patch.labels);
  return row;
}

export function isEnded(state: EnvState): boolean {
  return ENDED_STATES.includes(state);
}
