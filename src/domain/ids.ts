import { randomBytes } from 'node:crypto';
import type { FieldViolation } from './errors.js';

/**
 * The one id grammar for whatever a caller names (tenant, user, system, app, request): 1 to 64 ASCII
 * letters, digits, `-`, `_` and `.`, starting with a letter or digit, without two dots in a row. Ids of this form are
 * safe as a directory name, a label value and a container name.
 */
const CALLER_ID = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ENV_ID = /^env-[0-9a-f]{12}$/;

export const CALLER_ID_RULE =
  "1 to 64 characters of A-Z a-z 0-9 - _ . , starting with a letter or digit, without '..'";

/** The violation that `value` is as the id `field`, or nothing. */
export function callerIdViolation(field: string, value: string): FieldViolation | undefined {
  return CALLER_ID.test(value) ? undefined : { field, rule: `must be ${CALLER_ID_RULE}` };
}

export function isEnvId(value: string): boolean {
  return ENV_ID.test(value);
}

/** `env-` and 12 hex digits (seed 003). */
export function newEnvId(): string {
  return `env-${randomBytes(6).toString('hex')}`;
}

/** `<prefix>-` and 12 hex digits, for operations, executions, sandboxes, lives of the daemon, rounds of its sweeper, uploads of apps. */
export function newId(prefix: 'op' | 'exec' | 'sbx' | 'life' | 'sweep' | 'app'): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`;
}
