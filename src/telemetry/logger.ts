import { pino } from 'pino';

/**
 * What the domain logs through: structured fields first, then the event's name or a sentence. pino implements it. Ids go
 * in as `env`, `operation`, `execution`, `sandbox`, `pool`, `tenant`.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: object): Logger;
  /** Whether lines of this level go anywhere; absent: they do. Asked once, by those who would make many. */
  isLevelEnabled?(level: string): boolean;
}

/** JSON lines on standard output; errors under `err` with their cause. */
export function createLogger(level: string): Logger {
  return pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime });
}
