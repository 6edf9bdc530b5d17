import { createHash } from 'node:crypto';
import { callerIdViolation, isEnvId } from '../ids.js';
import { BerthError, invalid, type FieldViolation } from '../errors.js';
import { environmentSchema } from './app/environment.js';
import type { AppFile } from './app/files.js';
import { digestOfFiles } from './app/request-files.js';
import type { EnvKey } from './model.js';

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
}

/** Names an env for an operation. */
export interface EnvRequest {
  tenant: string;
  envId: string;
  requestId: string;
}

const REQUEST_ID = /^[\x20-\x7e]{0,128}$/;
const MAX_READY_TIMEOUT_MS = 600_000;

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
  if (!Number.isInteger(readyTimeoutMs) || readyTimeoutMs < 0 || readyTimeoutMs > MAX_READY_TIMEOUT_MS) {
    violations.push({ field: 'ready_timeout_ms', rule: `must be from 0 to ${MAX_READY_TIMEOUT_MS}` });
  }
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
  const { metadata, environment = {} } = request;
  if (!metadata && Object.keys(environment).length === 0) return appDigest;
  return `sha256:${sha256([appDigest, metadata ?? null, environment])}`;
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
