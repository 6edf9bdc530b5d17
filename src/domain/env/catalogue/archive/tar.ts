import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { archiveInvalid, asArchiveError } from './refusal.js';
import type { UnpackTarget } from './target.js';

const BLOCK_BYTES = 512;

/** What an entry must not be, by its type in the header; what is not here is a file or a folder. */
const REFUSED: Partial<Record<string, string>> = {
  symlink: 'must not be a symbolic link',
  link: 'must not be a hard link',
  'character-device': 'must not be a device',
  'block-device': 'must not be a device',
  fifo: 'must not be a named pipe',
};

/**
 * Unpacks a tar archive as it is read.
 * @throws ARCHIVE_INVALID for the first entry that breaks a rule, or when the archive is broken or cut off
 */
export async function unpackTar(
  archive: Readable,
  { gzip }: { gzip: boolean },
  target: UnpackTarget,
): Promise<void> {
  const entries = extract();
  const meter = new Meter(target.maxUnpackedBytes);
  const sink = entries as unknown as NodeJS.WritableStream;
  const fed = gzip ? pipeline(archive, createGunzip(), meter, sink) : pipeline(archive, meter, sink);
  // It fails together with the loop below, which has the better error.
  fed.catch(() => {});
  try {
    for await (const entry of entries)
      await unpackEntry(entry.header, entry as AsyncIterable<Uint8Array>, target);
    await fed;
  } catch (error) {
    throw asArchiveError('archive', error);
  } finally {
    archive.destroy();
  }
  if (!meter.endsInZeros) throw archiveInvalid('archive', 'is cut off: the mark at its end is missing');
}

async function unpackEntry(
  { name, type, mode, size, pax }: Header,
  content: AsyncIterable<Uint8Array>,
  target: UnpackTarget,
): Promise<void> {
  const refused = REFUSED[type];
  if (refused !== undefined) throw archiveInvalid(name, refused);
  if (type === 'directory' || (type === 'file' && name.endsWith('/') && size === 0)) {
    for await (const _ of content);
    return await target.folder(name);
  }
  const isSparse = Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse'));
  if (type !== 'file' || isSparse) throw archiveInvalid(name, 'must be an ordinary file or a folder');
  await target.file(name, { mode, declaredBytes: size }, content);
}

/** Bounds what is unpacked, whatever it is, and remembers how it ended. */
class Meter extends Transform {
  #bytes = 0;
  #last = Buffer.alloc(0);

  constructor(private readonly maxBytes: number) {
    super();
  }

  /** Whether the last block was empty, which is how a whole archive ends. */
  get endsInZeros(): boolean {
    return this.#last.length === BLOCK_BYTES && this.#last.every((byte) => byte === 0);
  }

  override _transform(chunk: Buffer, _: string, done: (error: Error | null, chunk?: Buffer) => void): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.maxBytes) {
      return done(archiveInvalid('archive', `unpacks to more than ${this.maxBytes} bytes, headers included`));
    }
    const tail = chunk.length >= BLOCK_BYTES ? chunk : Buffer.concat([this.#last, chunk]);
    this.#last = Buffer.from(tail.subarray(-BLOCK_BYTES));
    done(null, chunk);
  }
}
