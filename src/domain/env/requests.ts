import { createHash } from 'node:crypto';
import { callerIdViolation, isEnvId } from '../ids.js';
import { BerthError, invalid, type FieldViolation } from '../errors.js';
import { environmentSchema } from './app/environment.js';
import type { AppFile } from './app/files.js';
import { digestOfFiles } from './app/request-files.js';
import type { EnvKey, RestartPolicy } from './model.js';

/** Brings an app up as the env of a user and a system. */
export interface DeployRequest {
  tenant: string;
  userId: string;
  /** Empty: `default`. */
  systemId: string;
  appId: string;
  /** Replay protection; empty: none. */
  requestId: string;
  /** The app's files, instead of the folder under the apps path; empty: the folder. */
  files: readonly AppFile[];
  /** In place of `metadata.json`, with its keys. */
  metadata?: Record<string, unknown>;
  /** Variables for the app, besides those of its metadata. */
  environment?: Record<string, string>;
  /** Time the app has to answer; 0 or absent: as its metadata says, then the default. */
  readyTimeoutMs?: number;
  /** Replace the env even where it runs the same content. */
  force?: boolean;
  /** Time to live and time without activity, in milliseconds; 0 or absent: the configured ones. */
  ttlMs?: number;
  idleTimeoutMs?: number;
  /** Default: `unless_stopped`. */
  restartPolicy?: RestartPolicy;
  /** Labels to find the env by. */
  labels?: Record<string, string>;
  /** Time the deployment may wait for a place, in milliseconds; 0 or absent: the configured one. */
  queueTimeoutMs?: number;
}

/** Names an env for an operation. */
export interface EnvRequest {
  tenant: string;
  envId: string;
  requestId: string;
  /** Of a start or a reset: time the app has to answer, in milliseconds; 0 or absent: as at its deployment. */
  readyTimeoutMs?: number;
}

const REQUEST_ID = /^[\x20-\x7e]{0,128}$/;
const MAX_READY_TIMEOUT_MS = 600_000;
export const MAX_TTL_MS = 7 * 24 * 3_600_000;
const MAX_QUEUE_TIMEOUT_MS = 24 * 3_600_000;
const MAX_LABELS = 32;
const MAX_LABEL_CHARACTERS = 128;

/** @throws INVALID_ARGUMENT naming every field and rule; files are checked when the app is read */
export function checkDeployRequest(request: DeployRequest): DeployRequest & { systemId: string } {
  const { readyTimeoutMs = 0 } = request;
  const checked = { ...request, systemId: request.systemId === '' ? 'default' : request.systemId };
  const violations: (FieldViolation | undefined)[] = [
    callerIdViolation('tenant', checked.tenant),
    callerIdViolation('user_id', checked.userId),
    callerIdViolation('system_id', checked.systemId),
    callerIdViolation('app_id', checked.appId),
    requestIdViolation(checked.requestId),
  ];
  violations.push(
    rangeViolation('ready_timeout_ms', readyTimeoutMs, MAX_READY_TIMEOUT_MS),
    rangeViolation('ttl_ms', request.ttlMs ?? 0, MAX_TTL_MS),
    rangeViolation('idle_timeout_ms', request.idleTimeoutMs ?? 0, MAX_TTL_MS),
    rangeViolation('queue_timeout_ms', request.queueTimeoutMs ?? 0, MAX_QUEUE_TIMEOUT_MS),
    labelsViolation(request.labels ?? {}),
  );
  const environment = environmentSchema.safeParse(request.environment ?? {});
  for (const issue of environment.error?.issues ?? []) {
    violations.push({ field: ['env', ...issue.path.map(String)].join('.'), rule: issue.message });
  }
  refuse(violations);
  return checked;
}

/** @throws INVALID_ARGUMENT */
export function checkEnvRequest(request: EnvRequest): void {
  refuse([
    callerIdViolation('tenant', request.tenant),
    envIdViolation(request.envId),
    requestIdViolation(request.requestId),
    rangeViolation('ready_timeout_ms', request.readyTimeoutMs ?? 0, MAX_READY_TIMEOUT_MS),
  ]);
}

/** @throws INVALID_ARGUMENT */
export function checkEnvId(tenant: string, envId: string): void {
  refuse([callerIdViolation('tenant', tenant), envIdViolation(envId)]);
}

/** Tells a replay from another request under the same id. */
export function digestOfRequest(kind: string, request: DeployRequest | EnvRequest): string {
  const { requestId: _, ...content } = request;
  const files = 'files' in request && request.files.length > 0 ? digestOfFiles(request.files) : '';
  return sha256([kind, { ...content, files }]);
}

/** Digest of an app and of what a request changes of it: equal digests, the same deployment. */
export function digestOfDeployment(appDigest: string, request: DeployRequest): string {
  const { metadata, environment = {}, restartPolicy = 'unless_stopped' } = request;
  const usual = restartPolicy === 'unless_stopped';
  if (!metadata && Object.keys(environment).length === 0 && usual) return appDigest;
  return `sha256:${sha256([appDigest, metadata ?? null, environment, ...(usual ? [] : [restartPolicy])])}`;
}

/** The one text of an env key. */
export function keyText(key: EnvKey): string {
  return [key.tenant, key.userId, key.systemId, key.appId].join('/');
}

/** The tenant has no such env: said the same whether nobody has it or somebody else does. */
export function envNotFound(envId: string): BerthError {
  return new BerthError('ENV_NOT_FOUND', `no env ${envId}; ListEnvs shows those there are`, {
    resource: { type: 'env', name: envId },
  });
}

function sha256(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

/** With the keys of objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]));
}

/** The violation that `requestId` is as the field, or nothing. */
export function requestIdViolation(requestId: string, field = 'request_id'): FieldViolation | undefined {
  return REQUEST_ID.test(requestId)
    ? undefined
    : { field, rule: 'must be at most 128 printable ASCII characters' };
}

function envIdViolation(envId: string): FieldViolation | undefined {
  return isEnvId(envId) ? undefined : { field: 'env_id', rule: 'must be "env-" and 12 hex digits' };
}

function refuse(violations: (FieldViolation | undefined)[]): void {
  const real = violations.filter((violation) => violation !== undefined);
  if (real.length > 0) throw invalid(...real);
}

export function rangeViolation(field: string, value: number, max: number): FieldViolation | undefined {
  if (Number.isInteger(value) && value >= 0 && value <= max) return undefined;
  return { field, rule: `must be from 0 to ${max}` };
}

/** The rule that labels break, of a deployment or of a filter. */
export function labelsViolation(labels: Record<string, string>): FieldViolation | undefined {
  const entries = Object.entries(labels);
  const long = entries.some((entry) => entry.some((text) => text.length > MAX_LABEL_CHARACTERS));
  const rule = entries.length > MAX_LABELS ? `must be at most ${MAX_LABELS}` : undefined;
  if (rule) return { field: 'labels', rule };
  if (entries.some(([name]) => name === '')) return { field: 'labels', rule: 'must have keys' };
  if (entries.flat().some((text) => text.includes('\0')))
    return { field: 'labels', rule: 'must not contain NUL' };
  if (!long) return undefined;
  return { field: 'labels', rule: `must have keys and values of at most ${MAX_LABEL_CHARACTERS} characters` };
}
