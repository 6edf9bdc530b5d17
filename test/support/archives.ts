import { deflateRawSync } from 'node:zlib';
import { Crc32 } from '../../src/lib/crc32.js';

/** Archives made byte by byte, since no library writes what a hostile one holds. */

export interface TarEntry {
  name: string;
  content?: Buffer | string;
  /** Type flag: '0' file, '1' hard link, '2' link, '3' and '4' devices, '5' folder, '6' pipe, 'x' pax header. */
  type?: string;
  mode?: number;
  linkname?: string;
  /** In the header, where it lies. */
  size?: number | string;
}

export function tar(...entries: TarEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

export function tarEntry({
  name,
  content = '',
  type = '0',
  mode = 0o644,
  linkname = '',
  size,
}: TarEntry): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(typeof size === 'string' ? size : octal(size ?? body.length, 11), 124, 12, 'latin1');
  header.write(octal(0, 11), 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(linkname, 157, 100);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** A file whose name does not fit, or is odd, with its name in a pax header before it. */
export function paxFile(records: Record<string, string>, entry: TarEntry): TarEntry[] {
  const content = Object.entries(records).map(([key, value]) => {
    const record = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(record);
    while (Buffer.byteLength(`${length}${record}`) !== length)
      length = Buffer.byteLength(`${length}${record}`);
    return `${length}${record}`;
  });
  return [{ name: 'pax', type: 'x', content: content.join('') }, entry];
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

export interface ZipEntry {
  name: string;
  content?: Buffer | string;
  /** Unix mode with its kind. */
  mode?: number;
  stored?: boolean;
  /** Where these are not what they should be. */
  localName?: string;
  size?: number;
  crc?: number;
  method?: number;
  flags?: number;
  /** Sizes and checksum behind the content instead of in its header, as streaming writers do. */
  descriptor?: boolean;
  /** Sizes in the zip64 extra field. */
  zip64?: boolean;
  /** Points to the content of the entry of this index instead of having its own. */
  sharesWith?: number;
}

export function zip(...entries: ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const offsets: number[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    const data = entry.stored === true ? content : deflateRawSync(content);
    const crc = new Crc32();
    crc.update(content);
    const facts = {
      flags: (entry.flags ?? 0x800) | (entry.descriptor === true ? 8 : 0),
      method: entry.method ?? (entry.stored === true ? 0 : 8),
      crc: entry.crc ?? crc.value,
      compressed: data.length,
      size: entry.size ?? content.length,
    };
    const offset = entry.sharesWith === undefined ? at : (offsets[entry.sharesWith] ?? 0);
    offsets.push(offset);
    if (entry.sharesWith === undefined) {
      const inHeader = entry.descriptor === true ? { ...facts, crc: 0, compressed: 0, size: 0 } : facts;
      const local = [localHeader(Buffer.from(entry.localName ?? entry.name), inHeader), data];
      if (entry.descriptor === true) local.push(descriptor(facts));
      parts.push(...local);
      at += local.reduce((sum, part) => sum + part.length, 0);
    }
    directory.push(directoryEntry(entry, facts, offset));
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listed, end]);
}

interface ZipFacts {
  flags: number;
  method: number;
  crc: number;
  compressed: number;
  size: number;
}

function localHeader(name: Buffer, { flags, method, crc, compressed, size }: ZipFacts): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(compressed, 18);
  header.writeUInt32LE(size, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, name]);
}

function descriptor({ crc, compressed, size }: ZipFacts): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeUInt32LE(compressed, 8);
  bytes.writeUInt32LE(size, 12);
  return bytes;
}

function directoryEntry(entry: ZipEntry, facts: ZipFacts, offset: number): Buffer {
  const name = Buffer.from(entry.name);
  const extra = entry.zip64 === true ? zip64Extra(facts) : Buffer.alloc(0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  header.writeUInt16LE(facts.flags, 8);
  header.writeUInt16LE(facts.method, 10);
  header.writeUInt32LE(facts.crc, 16);
  header.writeUInt32LE(entry.zip64 === true ? 0xffffffff : facts.compressed, 20);
  header.writeUInt32LE(entry.zip64 === true ? 0xffffffff : facts.size, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
  header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, name, extra]);
}

function zip64Extra({ compressed, size }: ZipFacts): Buffer {
  const extra = Buffer.alloc(20);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(16, 2);
  extra.writeBigUInt64LE(BigInt(size), 4);
  extra.writeBigUInt64LE(BigInt(compressed), 12);
  return extra;
}
