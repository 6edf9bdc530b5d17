import { invalid, type FieldViolation } from '../../errors.js';
import type { LogChunk } from '../engine.js';

/** Which logs to stream. Times are milliseconds since the epoch. */
export interface LogRequest {
  tenant: string;
  envId: string;
  /** Stay for what is new. */
  follow: boolean;
  /** Empty: all. */
  services: readonly string[];
  /** Of each service's history; undefined: all, 0: none. */
  tail: number | undefined;
  /** A cursor; empty: none. */
  after: string;
  since: number | undefined;
  until: number | undefined;
  /** Only lines with this text, byte for byte; empty: all. */
  contains: string;
  /** Undefined: both. */
  stream: LogChunk['stream'] | undefined;
}

const MAX_CONTAINS_CHARACTERS = 1_024;
const MAX_SERVICES = 64;

/** @throws BerthError INVALID_ARGUMENT naming every field and rule */
export function checkLogRequest(request: LogRequest): void {
  const { follow, services, tail, after, since, until, contains } = request;
  const violations: FieldViolation[] = [];
  const broken = (field: string, rule: string): void => void violations.push({ field, rule });
  if (tail !== undefined && (!Number.isSafeInteger(tail) || tail < 0))
    broken('tail', 'must be a whole number, not negative');
  if (after !== '' && tail !== undefined) broken('tail', 'cannot go with after');
  if (after !== '' && since !== undefined) broken('since', 'cannot go with after');
  if (follow && until !== undefined) broken('until', 'cannot go with follow');
  if (since !== undefined && until !== undefined && until <= since)
    broken('until', 'must be later than since');
  if ([...contains].length > MAX_CONTAINS_CHARACTERS)
    broken('contains', `must have at most ${MAX_CONTAINS_CHARACTERS} characters`);
  if (services.length > MAX_SERVICES) broken('services', `must be at most ${MAX_SERVICES}`);
  if (violations.length > 0) throw invalid(...violations);
}
