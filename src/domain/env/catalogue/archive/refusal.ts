import { BerthError, isBerthError, messageOf } from '../../../errors.js';

const MAX_NAME = 200;

/** ARCHIVE_INVALID for one entry of an archive and the rule that it breaks; `archive` for the archive as a whole. */
export function archiveInvalid(entry: string, rule: string, cause?: unknown): BerthError {
  const name = shown(entry);
  return new BerthError(
    'ARCHIVE_INVALID',
    `the archive is refused, and nothing of it was kept: ${name} ${rule}`,
    {
      cause,
      violations: [{ field: name, rule }],
    },
  );
}

/** What went wrong with an entry, as ARCHIVE_INVALID; what the file system refused (its errors name a system call) stays as it is. */
export function asArchiveError(entry: string, error: unknown): unknown {
  if (isBerthError(error) || (error instanceof Error && 'syscall' in error)) return error;
  return archiveInvalid(entry, `is broken: ${messageOf(error)}`, error);
}

/** The name of an entry, with control characters as `\u001b` and bounded: the archive's author chose it. */
function shown(name: string): string {
  const text = JSON.stringify(name.slice(0, MAX_NAME)).slice(1, -1);
  const printable = text.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return name.length > MAX_NAME ? `${printable}…` : printable;
}
