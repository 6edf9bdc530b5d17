import { archiveInvalid } from './refusal.js';

export type ArchiveFormat = 'tar' | 'tar.gz' | 'zip';

/** As many bytes of an archive's beginning as `formatOf` looks at. */
export const MAGIC_BYTES = 512;

/**
 * What the first bytes of an archive say it is.
 * @param expected what the uploader said it is; undefined: nothing
 * @throws ARCHIVE_INVALID when it is none of them, or another one than was said
 */
export function formatOf(head: Buffer, expected: ArchiveFormat | undefined): ArchiveFormat {
  const found = magicOf(head);
  if (found === undefined)
    throw archiveInvalid('archive', 'must be a tar, tar.gz or zip archive, and is none');
  if (expected !== undefined && found !== expected) {
    throw archiveInvalid('archive', `is ${found}, though its format was given as ${expected}`);
  }
  return found;
}

function magicOf(head: Buffer): ArchiveFormat | undefined {
  if (head.length >= 4 && ZIP_MAGIC.includes(head.readUInt32LE(0))) return 'zip';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz';
  if (head.subarray(257, 262).toString('latin1') === 'ustar') return 'tar';
  return undefined;
}

/** Of a local file header, and of the directory that an archive without entries begins with. */
const ZIP_MAGIC = [0x04034b50, 0x06054b50];
