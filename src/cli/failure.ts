import { BerthRpcError, status } from '../../clients/typescript/src/index.js';
import { formatDuration } from './output/duration.js';
import type { Output } from './output/output.js';
import { printable } from './output/style.js';
import { UsageError } from './usage-error.js';

/** What failed, why, and what to do. */
export interface Failure {
  /** Berth's reason, or the name of a gRPC status; `USAGE` for a mistake in the command line. */
  reason: string;
  what: string;
  /** More about it, one thing a line. */
  details: string[];
  todo: string[];
  metadata?: Record<string, string>;
  violations?: { field: string; rule: string }[];
  retryAfterMs?: number;
}

/** Any error as something that a person can act on. */
export function failureOf(error: unknown, address: string): Failure {
  if (error instanceof BerthRpcError) return ofCall(error, address);
  if (error instanceof UsageError) return { reason: 'USAGE', what: error.message, details: [], todo: [] };
  if (isDomainError(error)) return { reason: error.reason, what: error.message, details: [], todo: [] };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    reason: 'DEFECT',
    what: 'a defect of the berth command',
    details: text.split('\n'),
    todo: ['Please report it with the lines above.'],
  };
}

export function showFailure(output: Output, { reason, what, details, todo }: Failure): void {
  const label = reason === 'USAGE' ? '' : ` ${output.paint('dim', `(${reason})`)}`;
  output.line(`${output.paint('red', 'error:')} ${safe(what)}${label}`);
  for (const line of details) output.line(`  ${safe(line)}`);
  for (const line of todo) output.line(`  ${output.paint('cyan', '→')} ${line}`);
}

/** The same for programs. */
export function failureJson({ reason, what, details, metadata, violations, retryAfterMs }: Failure): object {
  return { error: { reason, message: what, details, metadata, violations, retryAfterMs } };
}

function ofCall(error: BerthRpcError, address: string): Failure {
  const failure: Failure = {
    reason: error.reason ?? error.status,
    what: error.message,
    details: [],
    todo: [],
    metadata: error.metadata,
    violations: error.violations,
    retryAfterMs: error.retryAfterMs,
  };
  if (error.reason === undefined && error.code === status.UNAVAILABLE) {
    return { ...failure, ...ofConnection(error.message, address) };
  }
  // The message of a refused request is its violations in one line; one a line reads better.
  if (error.violations.length > 1) {
    failure.what = 'the request was refused';
    failure.details = error.violations.map(({ field, rule }) => `${field}: ${rule}`);
  }
  for (const { subject, description } of error.quota) failure.details.push(`${subject}: ${description}`);
  if (error.reason === 'DOCKER_UNAVAILABLE')
    failure.todo.push('`berth doctor` looks for what is missing on this host.');
  if (error.reason === 'IMAGE_NOT_FOUND')
    failure.todo.push('`berth images prepare` pulls or builds what Berth needs.');
  if (error.reason === 'ENV_NOT_FOUND')
    failure.todo.push('`berth ps` lists the envs there are, with --all those that are gone, too.');
  if (error.reason === 'APP_NOT_FOUND')
    failure.todo.push('`berth apps` lists the apps there are; `berth deploy FOLDER` sends one along.');
  if (error.retryAfterMs !== undefined)
    failure.todo.push(`Try again in ${formatDuration(error.retryAfterMs)}.`);
  return failure;
}

/** grpc-js tells only by its words whether there ever was a connection. */
function ofConnection(message: string, address: string): Pick<Failure, 'what' | 'details' | 'todo'> {
  // It leaves an empty note at the end.
  const details = [message.replace(/\s*Resolution note:\s*$/, '')];
  if (!/^(No connection established|Name resolution failed)/.test(message)) {
    return {
      what: `the connection to berthd at ${address} was lost`,
      details,
      todo: ['`berth doctor` tells whether it still runs; what belongs to it goes on without us.'],
    };
  }
  return {
    what: `berthd does not answer at ${address}`,
    details,
    todo: [
      'Start it: `npm run quickstart` the first time, `npm start` afterwards.',
      'If it runs elsewhere, name the place with --address or BERTH_ADDRESS.',
      '`berth doctor` looks for what is missing on this host.',
    ],
  };
}

/** An error of the image builder, which runs in this process: it has a reason, and its message says what to do. */
function isDomainError(error: unknown): error is Error & { reason: string } {
  return error instanceof Error && 'reason' in error && typeof error.reason === 'string';
}

function safe(text: string): string {
  return text.split('\n').map(printable).join('\n  ');
}
