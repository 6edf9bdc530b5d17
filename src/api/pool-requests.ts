import type {
  PoolSettings as SettingsMessage,
  ResizePoolRequest,
  WarmPoolRequest,
  WatchPoolsRequest,
} from '../../clients/typescript/src/gen/berth/v1/pool_service.js';
import { NetworkMode } from '../../clients/typescript/src/gen/berth/v1/common.js';
import {
  ExecutionLimits,
  type SandboxSpec as SpecMessage,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import { invalid, type FieldViolation } from '../domain/errors.js';
import {
  isPreset,
  POOL_PRESETS,
  PRESET_NAMES,
  settingsProblem,
  type PoolSettings,
} from '../domain/pool/settings.js';
import type { SpecRequest } from '../domain/pool/spec-resolver.js';
import { requestIdViolation } from './conventions.js';
import { checkLimits, toIsolation, type ExecuteDefaults } from './execute-request.js';
import { refuseUnbuilt } from './unbuilt.js';

const MOST_TIMEOUT_MS = 600_000;
const DEFAULT_DRAIN_MS = 30_000;
const LEAST_SNAPSHOT_INTERVAL_MS = 100;

/** The field of the contract for each setting. */
const FIELDS = {
  min: 'minSize',
  initial: 'initialSize',
  max: 'maxSize',
  idleTimeoutMs: 'idleTimeoutMs',
  healthIntervalMs: 'healthIntervalMs',
  maxUses: 'maxUses',
  maxAgeMs: 'maxAgeMs',
  keepForTenantMs: 'tenantHoldMs',
  resetTimeoutMs: 'resetTimeoutMs',
} as const satisfies Record<keyof PoolSettings, keyof SettingsMessage>;

/** @throws BerthError INVALID_ARGUMENT when the value is empty */
export function required(value: string, field: string): string {
  if (value === '') throw invalid({ field, rule: 'is required' });
  return value;
}

/** @throws BerthError INVALID_ARGUMENT */
export function checkRequestId(requestId: string): void {
  const violation = requestIdViolation(requestId);
  if (violation !== undefined) throw invalid(violation);
}

/**
 * Settings with those of a preset (but for what presets do not decide), then those of a request, in their place.
 * @throws BerthError INVALID_ARGUMENT
 */
export function changedSettings(
  base: PoolSettings,
  { preset, settings }: Pick<ResizePoolRequest, 'preset' | 'settings'>,
): PoolSettings {
  if (preset !== '' && !isPreset(preset))
    throw invalid({ field: 'preset', rule: `must be one of: ${PRESET_NAMES.join(', ')}` });
  const changed: PoolSettings = { ...base, ...(isPreset(preset) && POOL_PRESETS[preset]) };
  for (const [key, field] of Object.entries(FIELDS) as [
    keyof PoolSettings,
    (typeof FIELDS)[keyof PoolSettings],
  ][])
    changed[key] = settings?.[field] ?? changed[key];
  const problem = settingsProblem(changed);
  if (problem !== undefined)
    throw invalid({ field: `settings.${snakeCase(FIELDS[problem.key])}`, rule: problem.rule });
  return changed;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** @throws BerthError INVALID_ARGUMENT */
export function checkWarmCount({ count }: WarmPoolRequest): void {
  if (count < 0 || count > 1_000) throw invalid({ field: 'count', rule: 'must be 0 to 1000' });
}

/** An existing pool has its settings, which are not changed in passing. @throws BerthError INVALID_ARGUMENT naming each field */
export function checkNoSettings({ preset, settings }: WarmPoolRequest): void {
  const given: [field: string, isGiven: boolean][] = [
    ['preset', preset !== ''],
    ['settings', settings !== undefined],
  ];
  const violations = given
    .filter(([, isGiven]) => isGiven)
    .map(([field]) => ({ field, rule: 'must be empty with pool_id; ResizePool changes an existing pool' }));
  if (violations.length > 0) throw invalid(...violations);
}

/** The spec that a pool is asked for. @throws BerthError INVALID_ARGUMENT naming each field, NOT_BUILT */
export function toSpecRequest(spec: SpecMessage, defaults: ExecuteDefaults): SpecRequest {
  const mode = spec.network?.mode ?? NetworkMode.UNSPECIFIED;
  refuseUnbuilt([
    ['spec.requirements', spec.requirements.length > 0],
    ['spec.network', mode !== NetworkMode.UNSPECIFIED && mode !== NetworkMode.NONE],
  ]);
  if (spec.language === '' && spec.image === '')
    throw invalid({ field: 'spec.language', rule: 'language or image is required' });
  const violations: FieldViolation[] = [];
  const { memoryBytes = 0, cpus = 0, maxProcesses = 0, scratchBytes = 0 } = spec.limits ?? {};
  const limits = checkLimits(
    ExecutionLimits.fromPartial({ memoryBytes, cpus, maxProcesses, scratchBytes }),
    defaults,
    (holds, field, rule) => {
      if (!holds) violations.push({ field: `spec.${field}`, rule });
    },
  );
  if (violations.length > 0) throw invalid(...violations);
  return {
    language: spec.language,
    version: spec.languageVersion,
    image: spec.image,
    isolation: toIsolation(spec.isolation),
    limits,
  };
}

/** @throws BerthError INVALID_ARGUMENT */
export function toDrainTimeout(timeoutMs: number): number {
  if (timeoutMs < 0 || timeoutMs > MOST_TIMEOUT_MS)
    throw invalid({ field: 'timeout_ms', rule: `must be 0 (${DEFAULT_DRAIN_MS}) to ${MOST_TIMEOUT_MS}` });
  return timeoutMs === 0 ? DEFAULT_DRAIN_MS : timeoutMs;
}

/** @throws BerthError INVALID_ARGUMENT naming each field */
export function checkWatch({ afterSeq, snapshotIntervalMs }: WatchPoolsRequest): void {
  const violations: FieldViolation[] = [];
  if (afterSeq < 0) violations.push({ field: 'after_seq', rule: 'must not be negative' });
  if (snapshotIntervalMs !== 0 && snapshotIntervalMs < LEAST_SNAPSHOT_INTERVAL_MS)
    violations.push({
      field: 'snapshot_interval_ms',
      rule: `must be 0 (none) or at least ${LEAST_SNAPSHOT_INTERVAL_MS}`,
    });
  if (violations.length > 0) throw invalid(...violations);
}
