import { createReadStream } from 'node:fs';
import { chmod, mkdir, open } from 'node:fs/promises';
import type { FileLimits } from '../../app/files.js';
import { formatOf, MAGIC_BYTES, type ArchiveFormat } from './format.js';
import { UnpackTarget } from './target.js';
import { unpackTar } from './tar.js';
import { unpackZip } from './zip.js';

const CHUNK_BYTES = 64 * 1024;

/**
 * Unpacks the archive in a file into `folder`, which must not exist; all of it is on disk when this resolves. When it
 * throws, what was unpacked so far is left for the caller to remove.
 * @param format as the uploader gave it; undefined: found out
 * @throws ARCHIVE_INVALID naming entry and rule; what the file system throws
 */
export async function unpackArchive(
  archivePath: string,
  folder: string,
  format: ArchiveFormat | undefined,
  limits: FileLimits,
): Promise<void> {
  const found = formatOf(await beginningOf(archivePath), format);
  await mkdir(folder);
  await chmod(folder, 0o755);
  const target = new UnpackTarget(folder, limits);
  if (found === 'zip') await unpackZip(archivePath, target);
  else {
    const archive = createReadStream(archivePath, { highWaterMark: CHUNK_BYTES });
    await unpackTar(archive, { gzip: found === 'tar.gz' }, target);
  }
  await target.sync();
}

async function beginningOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
