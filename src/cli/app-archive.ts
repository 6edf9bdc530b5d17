import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { walk } from './app-folder.js';
import { fileProblem } from './stdin.js';
import { UsageError } from './usage-error.js';

/**
 * The archive of an app: a folder is packed as it is sent, a file is taken as it is.
 * @throws UsageError, also while it is read, for what cannot be read or sent
 */
export async function appArchive(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${path} cannot be read: ${fileProblem(error)}`);
  });
  if (info.isFile()) return createReadStream(path, { signal });
  if (!info.isDirectory())
    throw new UsageError(`${path} is neither the folder of an app nor an archive of one`);
  return packed(path, signal);
}

async function* packed(folder: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const gzip = createGzip();
  const filled = fill(archive, folder, signal).catch((error: unknown) => {
    archive.destroy(error as Error);
    throw error;
  });
  // It fails together with what is read below; the cause is `filled`'s.
  const zipped = pipeline(archive as unknown as NodeJS.ReadableStream, gzip);
  zipped.catch(() => {});
  filled.catch(() => {});
  try {
    for await (const chunk of gzip) yield chunk as Uint8Array;
  } catch (error) {
    await filled;
    throw error;
  }
  await filled;
}

async function fill(archive: ReturnType<typeof pack>, folder: string, signal: AbortSignal): Promise<void> {
  for await (const path of walk(folder, '', signal)) {
    const full = join(folder, path);
    const { size, mode, mtime } = await stat(full);
    const entry = archive.entry({ name: path, size, mode: mode & 0o777, mtime });
    await pipeline(
      // A file that grows meanwhile is sent as long as it was.
      createReadStream(full, { signal, ...(size > 0 && { end: size - 1 }) }),
      entry as unknown as NodeJS.WritableStream,
    ).catch((error: NodeJS.ErrnoException) => {
      if (signal.aborted) throw error;
      throw new UsageError(`${full} cannot be sent: ${fileProblem(error)}`);
    });
  }
  archive.finalize();
}
