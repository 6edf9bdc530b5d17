import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { Crc32 } from '../../../../lib/crc32.js';
import { archiveInvalid, asArchiveError } from './refusal.js';
import type { UnpackTarget } from './target.js';

/** The bits of a Unix mode that tell the kind of a file. */
const KIND_MASK = 0o170000;
const KINDS = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
const STORED = 0;
const DEFLATED = 8;

/**
 * Unpacks a zip archive (zip64 and data descriptors included) from a file. The directory at its end is read and checked as
 * a whole before anything is written; each entry's own header must agree with it, and no two may share bytes.
 * @throws ARCHIVE_INVALID for the first entry that breaks a rule, or when the archive is broken
 */
export async function unpackZip(path: string, target: UnpackTarget): Promise<void> {
  let zip: ZipFile | undefined;
  try {
    // Names as they are: yauzl's own rules are fewer than ours.
    zip = await yauzl.openPromise(path, { autoClose: false, decodeStrings: false });
    const entries = await listed(zip, target.maxEntries);
    await checkPlaces(zip, entries);
    for (const { entry, name } of entries) {
      if (name.endsWith('/')) await target.folder(name);
      else await unpackFile(zip, entry, name, target);
    }
  } catch (error) {
    throw asArchiveError('archive', error);
  } finally {
    zip?.close();
  }
}

interface Listed {
  entry: Entry;
  name: string;
}

async function listed(zip: ZipFile, maxEntries: number): Promise<Listed[]> {
  const tooMany = (): Error =>
    archiveInvalid('archive', `has more than the ${maxEntries} files and folders that an app may have`);
  if (zip.entryCount > maxEntries) throw tooMany();
  const entries: Listed[] = [];
  for await (const entry of zip.eachEntry()) {
    const name = yauzl.getFileNameLowLevel(
      entry.generalPurposeBitFlag,
      entry.fileNameRaw,
      entry.extraFields,
      true,
    );
    checkKind(entry, name);
    entries.push({ entry, name });
    if (entries.length > maxEntries) throw tooMany();
  }
  return entries;
}

function checkKind(entry: Entry, name: string): void {
  const kind = (entry.externalFileAttributes >>> 16) & KIND_MASK;
  if (kind === KINDS.link) throw archiveInvalid(name, 'must not be a symbolic link');
  if (kind !== 0 && kind !== KINDS.file && kind !== KINDS.folder) {
    throw archiveInvalid(name, 'must not be a device, pipe or socket');
  }
  if ((kind === KINDS.folder) !== name.endsWith('/') && kind !== 0) {
    throw archiveInvalid(name, 'must be a folder by its mode and by its name, or by neither');
  }
  if (name.endsWith('/') && entry.uncompressedSize > 0)
    throw archiveInvalid(name, 'is a folder and has content');
  if (entry.isEncrypted()) throw archiveInvalid(name, 'must not be encrypted');
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw archiveInvalid(
      name,
      `must be stored or deflated, not compressed by method ${entry.compressionMethod}`,
    );
  }
}

/** No two entries share bytes (which is how a small archive holds a hundred times itself), and each is what its own header says. */
async function checkPlaces(zip: ZipFile, entries: readonly Listed[]): Promise<void> {
  const inOrder = [...entries].sort(
    (a, b) => a.entry.relativeOffsetOfLocalHeader - b.entry.relativeOffsetOfLocalHeader,
  );
  let end = 0;
  for (const { entry, name } of inOrder) {
    if (entry.relativeOffsetOfLocalHeader < end) throw archiveInvalid(name, 'must not overlap another entry');
    const header = await zip.readLocalFileHeaderPromise(entry);
    if (!header.fileName.equals(entry.fileNameRaw)) {
      throw archiveInvalid(
        name,
        'has another name in front of its content than in the directory of the archive',
      );
    }
    end = header.fileDataStart + entry.compressedSize;
  }
}

async function unpackFile(zip: ZipFile, entry: Entry, name: string, target: UnpackTarget): Promise<void> {
  const crc = new Crc32();
  const mode = (entry.externalFileAttributes >>> 16) & 0o777;
  try {
    await target.file(name, { mode, declaredBytes: entry.uncompressedSize }, contentOf(zip, entry, crc));
  } catch (error) {
    throw asArchiveError(name, error);
  }
  if (crc.value !== entry.crc32)
    throw archiveInvalid(name, 'is broken: its checksum (CRC-32) is another one');
}

async function* contentOf(zip: ZipFile, entry: Entry, crc: Crc32): AsyncGenerator<Uint8Array> {
  // Opened only now, since it flows and may fail at once: an error that nobody listens for would end the daemon.
  const stream = await zip.openReadStreamPromise(entry);
  stream.on('error', () => {});
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      crc.update(chunk);
      yield chunk;
    }
  } finally {
    stream.destroy();
  }
}
