import { createHash } from 'node:crypto';
import {
  ExecuteRequest as ExecuteMessage,
  type ExecutionLimits as LimitsMessage,
} from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import {
  CodePolicy,
  Isolation as IsolationEnum,
  NetworkMode,
} from '../../clients/typescript/src/gen/berth/v1/common.js';
import { invalid, type FieldViolation } from '../domain/errors.js';
import type { ExecutionLimits, ExecutionRequest, InputFile } from '../domain/sandbox/execution.js';
import type { Languages } from '../domain/sandbox/languages.js';
import { isPreset, PRESET_NAMES } from '../domain/pool/settings.js';
import type { Isolation } from '../domain/sandbox/spec.js';
import { requestIdViolation } from './conventions.js';
import { refuseUnbuilt } from './unbuilt.js';

/** Defaults and maxima of one daemon. */
export interface ExecuteDefaults {
  wallMs: number;
  maxWallMs: number;
  outputBytes: number;
  maxOutputBytes: number;
  maxMemoryBytes: number;
  maxCpuMillis: number;
  maxProcesses: number;
  maxTmpfsBytes: number;
  maxCpuTimeMs: number;
  maxFileBytes: number;
  languages: Languages;
}

const MIB = 1024 * 1024;
const WORKSPACE = '/workspace';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const LARGEST = {
  code: MIB,
  stdin: 16 * MIB,
  files: 16 * MIB,
  fileCount: 1_000,
  args: 1_024,
  argBytes: 128 * 1024,
  env: 256,
  envBytes: 128 * 1024,
  acquireMs: 600_000,
  labels: 32,
  labelLength: 128,
};

/**
 * Checks an `Execute` message and fills in the defaults.
 * @throws BerthError INVALID_ARGUMENT naming every field that breaks a rule; NOT_BUILT for fields of later versions
 */
export function toExecutionRequest(
  message: ExecuteMessage,
  tenant: string,
  defaults: ExecuteDefaults,
): ExecutionRequest {
  refuseUnbuiltFields(message);
  const violations: FieldViolation[] = [];
  const must = (holds: boolean, field: string, rule: string): void => {
    if (!holds) violations.push({ field, rule });
  };

  checkRequestId(message.requestId, must);
  must(
    message.image.length <= 256 && !/[\s\0]/.test(message.image),
    'image',
    'must be at most 256 characters without spaces',
  );
  const code = checkSource(message, must);
  const cwd = message.cwd === '' ? WORKSPACE : message.cwd;
  must(
    /^\/(workspace|tmp|dev\/shm)(\/|$)/.test(cwd) && isCleanPath(cwd.slice(1)),
    'cwd',
    'must be /workspace, /tmp or /dev/shm, or a folder in them, without ".."',
  );
  must(
    message.entry === '' || isCleanPath(message.entry),
    'entry',
    'must be relative, without "..", empty parts or NUL',
  );
  must(message.stdin.byteLength <= LARGEST.stdin, 'stdin', `must be at most ${LARGEST.stdin} bytes`);
  checkTexts(message.args, 'args', must);
  checkEnv(message.env, must);
  checkLabels(message.labels, must);
  must(
    !message.durable || message.requestId !== '',
    'request_id',
    'is required with durable, since a repeat finds the execution by it',
  );
  const files = checkFiles(message.files, must);
  const limits = checkLimits(message.limits, defaults, must);
  must(
    message.acquireTimeoutMs >= 0 && message.acquireTimeoutMs <= LARGEST.acquireMs,
    'acquire_timeout_ms',
    `must be 0 to ${LARGEST.acquireMs}`,
  );
  must(
    message.poolPreset === '' || isPreset(message.poolPreset),
    'pool_preset',
    `must be one of: ${PRESET_NAMES.join(', ')}`,
  );
  must(!message.ownContainer || message.poolId === '', 'pool_id', 'must be empty with own_container');
  must(
    !message.ownContainer || message.degrade?.forbidOneShot !== true,
    'degrade.forbid_one_shot',
    'rules out what own_container asks for',
  );
  if (violations.length > 0) throw invalid(...violations);

  const language =
    message.language === ''
      ? undefined
      : defaults.languages.resolve(message.language, message.languageVersion);
  return {
    tenant,
    requestId: message.requestId,
    digest:
      message.requestId === ''
        ? ''
        : createHash('sha256').update(ExecuteMessage.encode(message).finish()).digest('hex'),
    language: message.language,
    version: message.languageVersion,
    image: message.image,
    isCommand: message.source?.$case === 'command',
    code,
    argv: message.source?.$case === 'command' ? message.source.value.argv : message.args,
    entry: message.entry === '' ? (language?.entry ?? '') : message.entry,
    cwd,
    env: message.env,
    files,
    stdin: message.stdin,
    limits,
    isolation: toIsolation(message.isolation),
    acquireTimeoutMs: message.acquireTimeoutMs,
    poolId: message.poolId,
    poolPreset: message.poolPreset,
    ownContainer: message.ownContainer,
    degrade: {
      forbidOneShot: message.degrade?.forbidOneShot ?? false,
      forbidLocal: message.degrade?.forbidLocal ?? false,
    },
    cancelOnDisconnect: message.cancelOnDisconnect ?? true,
    durable: message.durable,
    progress: message.progress,
    labels: message.labels,
  };
}

export type Must = (holds: boolean, field: string, rule: string) => void;

export function checkRequestId(requestId: string, must: Must): void {
  const violation = requestIdViolation(requestId);
  if (violation !== undefined) must(false, violation.field, violation.rule);
}

function checkSource(message: ExecuteMessage, must: Must): Uint8Array | undefined {
  const source = message.source;
  if (source?.$case === 'command') {
    must(message.args.length === 0, 'args', 'must be empty with a command, which has its own arguments');
    must(
      message.language !== '' || message.image !== '' || message.poolId !== '',
      'image',
      'is required for a command without a language or a pool_id',
    );
    must(source.value.argv.length > 0 && source.value.argv[0] !== '', 'command.argv', 'must name a program');
    checkTexts(source.value.argv, 'command.argv', must);
    return undefined;
  }
  must(message.language !== '', 'language', 'is required to run code');
  const text = source?.$case === 'code' ? source.value : '';
  const entryIsFile = message.entry !== '' && message.files.some((file) => file.path === message.entry);
  must(
    text.trim() !== '' || entryIsFile,
    'code',
    'must not be empty (or name one of the files as the entry)',
  );
  const code = Buffer.from(text, 'utf8');
  must(code.byteLength <= LARGEST.code, 'code', `must be at most ${LARGEST.code} bytes`);
  return text.trim() === '' && entryIsFile ? undefined : code;
}

function checkTexts(values: string[], field: string, must: Must): void {
  must(values.length <= LARGEST.args, field, `must have at most ${LARGEST.args} items`);
  must(
    values.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0) <= LARGEST.argBytes,
    field,
    `must be at most ${LARGEST.argBytes} bytes together`,
  );
  values.forEach((value, i) => must(!value.includes('\0'), `${field}[${i}]`, 'must not contain NUL'));
}

function checkEnv(env: Record<string, string>, must: Must): void {
  const entries = Object.entries(env);
  must(entries.length <= LARGEST.env, 'env', `must have at most ${LARGEST.env} variables`);
  let bytes = 0;
  for (const [name, value] of entries) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
    must(VARIABLE.test(name), `env["${name.slice(0, 64)}"]`, 'name must match [A-Za-z_][A-Za-z0-9_]*');
    must(!value.includes('\0'), `env["${name.slice(0, 64)}"]`, 'must not contain NUL');
  }
  must(bytes <= LARGEST.envBytes, 'env', `must be at most ${LARGEST.envBytes} bytes together`);
}

export function checkLabels(labels: Record<string, string>, must: Must): void {
  const entries = Object.entries(labels);
  must(entries.length <= LARGEST.labels, 'labels', `must be at most ${LARGEST.labels}`);
  for (const [name, value] of entries) {
    const field = `labels["${name.slice(0, 64)}"]`;
    must(name !== '' && name.length <= LARGEST.labelLength, field, 'key must have 1 to 128 characters');
    must(value.length <= LARGEST.labelLength, field, 'must have at most 128 characters');
    must(!`${name}${value}`.includes('\0'), field, 'must not contain NUL');
  }
}

function checkFiles(files: ExecuteMessage['files'], must: Must): InputFile[] {
  must(files.length <= LARGEST.fileCount, 'files', `must be at most ${LARGEST.fileCount}`);
  const seen = new Set<string>();
  let bytes = 0;
  const checked = files.map((file, i) => {
    const field = `files[${i}].path`;
    must(
      isCleanPath(file.path),
      field,
      'must be relative, at most 1024 bytes and 64 parts, without "..", empty parts or NUL',
    );
    must(!seen.has(file.path), field, 'is given twice');
    seen.add(file.path);
    bytes += file.content.byteLength;
    return { path: file.path, content: file.content, mode: file.mode & 0o777 || 0o644 };
  });
  must(bytes <= LARGEST.files, 'files', `must be at most ${LARGEST.files} bytes together`);
  return checked;
}

/** A relative path that names something below its base and nothing else. */
function isCleanPath(path: string): boolean {
  if (path === '' || path.includes('\0') || Buffer.byteLength(path) > 1024) return false;
  const parts = path.split('/');
  return parts.length <= 64 && parts.every((part) => part !== '' && part !== '.' && part !== '..');
}

/** The limits of a message within their ranges; `must` is told of each that is not. */
export function checkLimits(
  limits: LimitsMessage | undefined,
  defaults: ExecuteDefaults,
  must: Must,
): ExecutionLimits {
  const range = (value: number, field: string, least: number, most: number): number => {
    must(
      value === 0 || (value >= least && value <= most),
      `limits.${field}`,
      `must be 0 (default) or ${least} to ${most}`,
    );
    return value;
  };
  const cpus = range(limits?.cpus ?? 0, 'cpus', 0.05, defaults.maxCpuMillis / 1_000);
  return {
    wallMs: range(limits?.wallMs ?? 0, 'wall_ms', 1, defaults.maxWallMs) || defaults.wallMs,
    cpuMs: range(limits?.cpuMs ?? 0, 'cpu_ms', 1, defaults.maxCpuTimeMs),
    memoryBytes: range(limits?.memoryBytes ?? 0, 'memory_bytes', 32 * MIB, defaults.maxMemoryBytes),
    cpuMillis: Math.round(cpus * 1_000),
    processes: range(limits?.maxProcesses ?? 0, 'max_processes', 16, defaults.maxProcesses),
    outputBytes:
      range(limits?.outputBytes ?? 0, 'output_bytes', 1, defaults.maxOutputBytes) || defaults.outputBytes,
    fileBytes: range(limits?.fileBytes ?? 0, 'file_bytes', 1, defaults.maxFileBytes),
    scratchBytes: range(limits?.scratchBytes ?? 0, 'scratch_bytes', MIB, defaults.maxTmpfsBytes),
  };
}

export function toIsolation(isolation: IsolationEnum): Isolation {
  switch (isolation) {
    case IsolationEnum.UNSPECIFIED:
    case IsolationEnum.REUSE:
      return 'reuse';
    case IsolationEnum.SINGLE_USE:
      return 'single_use';
    case IsolationEnum.GVISOR:
      return 'gvisor';
    case IsolationEnum.UNRECOGNIZED:
    default:
      throw invalid({ field: 'isolation', rule: 'must be an isolation of the contract' });
  }
}

function refuseUnbuiltFields(message: ExecuteMessage): void {
  const mode = message.network?.mode ?? NetworkMode.UNSPECIFIED;
  const egress = (message.network?.egress.length ?? 0) > 0;
  refuseUnbuilt([
    ['function', message.source?.$case === 'function'],
    ['network', (mode !== NetworkMode.UNSPECIFIED && mode !== NetworkMode.NONE) || egress],
    ['requirements', message.requirements.length > 0],
    ['sandbox_id', message.sandboxId !== ''],
    ['context', message.context !== ''],
    ['collect', message.collect.length > 0],
    ['rich_results', message.richResults],
    ['code_policy', message.codePolicy === CodePolicy.WARN || message.codePolicy === CodePolicy.DENY],
  ]);
}
