import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArchiveFormat } from '../../../src/domain/env/catalogue/archive/format.js';
import { unpackArchive } from '../../../src/domain/env/catalogue/archive/unpack.js';
import { paxFile, tar, tarEntry, zip } from '../../support/archives.js';

const LIMITS = { maxAppBytes: 100_000, maxAppFiles: 12 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-archive-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function unpack(archive: Buffer, format?: ArchiveFormat, limits = LIMITS): Promise<string> {
  const path = join(folder, 'archive');
  await writeFile(path, archive);
  const app = join(folder, 'app');
  await unpackArchive(path, app, format, limits);
  return app;
}

async function refused(archive: Buffer, format?: ArchiveFormat): Promise<string> {
  const error = await unpack(archive, format).then(
    () => new Error('it was unpacked'),
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({ reason: 'ARCHIVE_INVALID' });
  const { violations } = error as unknown as { violations: { field: string; rule: string }[] };
  expect(error.message).toContain(violations[0]?.rule);
  return `${violations[0]?.field} ${violations[0]?.rule}`;
}

const FILES = [
  { name: 'metadata.json', content: '{"runtimeType":"node"}' },
  { name: 'src/start.sh', content: '#!/bin/sh\n', mode: 0o4755 },
  { name: 'src/größe.txt', content: 'x'.repeat(3_000) },
];
const tarGz = (...entries: Parameters<typeof tar>) => gzipSync(tar(...entries));

describe('an archive is unpacked', () => {
  const folders = [
    { name: './', type: '5' },
    { name: './src/', type: '5', mode: 0o700 },
  ];
  const dotted = FILES.map((file) => ({ ...file, name: `./${file.name}` }));
  it.each([
    ['tar', tar(...FILES)],
    ['tar of a folder, as `tar -C app .` makes it', tar(...folders, ...dotted)],
    ['tar.gz', tarGz(...FILES)],
    ['tar.gz of two members', Buffer.concat([gzipSync(tarEntry(FILES[0]!)), tarGz(FILES[1]!, FILES[2]!)])],
    ['zip, deflated', zip(...FILES.map((file) => ({ ...file, mode: 0o100000 | (file.mode ?? 0o644) })))],
    [
      'zip, stored',
      zip(...FILES.map((file) => ({ ...file, mode: 0o100000 | (file.mode ?? 0), stored: true }))),
    ],
    [
      'zip with data descriptors',
      zip(...FILES.map((file) => ({ ...file, mode: file.mode ?? 0, descriptor: true }))),
    ],
    ['zip64', zip(...FILES.map((file) => ({ ...file, mode: file.mode ?? 0, zip64: true })))],
  ])('%s', async (_, archive) => {
    const app = await unpack(archive);
    expect(await readdir(app, { recursive: true })).toHaveLength(4);
    for (const { name, content } of FILES) expect(await readFile(join(app, name), 'utf8')).toBe(content);
    expect((await stat(join(app, 'src/start.sh'))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(app, 'src/größe.txt'))).mode & 0o7777).toBe(0o644);
    expect((await stat(join(app, 'src'))).mode & 0o7777).toBe(0o755);
  });

  it('with a name that only a pax header can hold', async () => {
    const name = `${'d'.repeat(120)}/${'f'.repeat(120)}`;
    const app = await unpack(tar(...paxFile({ path: name }, { name: 'short', content: 'y' })));
    expect(await readFile(join(app, name), 'utf8')).toBe('y');
  });
});

const file = (name: string) => ({ name, content: 'x' });
const deep = Array.from({ length: 65 }, () => 'd').join('/');
const unevenPax = paxFile({ path: 'a\0b' }, file('short'));

describe('an archive is refused, naming entry and rule', () => {
  it.each<[string, Buffer, RegExp]>([
    [
      'symbolic link',
      tar({ name: 'a', type: '2', linkname: '/etc/passwd' }),
      /^a must not be a symbolic link/,
    ],
    ['hard link', tar({ name: 'a', type: '1', linkname: 'b' }), /^a must not be a hard link/],
    ['character device', tar({ name: 'null', type: '3' }), /^null must not be a device/],
    ['block device', tar({ name: 'sda', type: '4' }), /^sda must not be a device/],
    ['named pipe', tar({ name: 'p', type: '6' }), /^p must not be a named pipe/],
    ['contiguous file', tar({ name: 'c', type: '7' }), /^c must be an ordinary file/],
    ['GNU sparse file', tar({ name: 's', type: 'S' }), /^s must be an ordinary file/],
    [
      'pax sparse file',
      tar(...paxFile({ 'GNU.sparse.major': '1' }, file('s'))),
      /^s must be an ordinary file/,
    ],
    ['unknown type', tar({ name: 'u', type: 'Z' }), /^u must be an ordinary file/],
    ['absolute name', tar(file('/etc/cron.d/x')), /^\/etc\/cron.d\/x must be relative/],
    ['climbing name', tar(file('a/../../x')), /^a\/..\/..\/x must not climb out/],
    ['climbing folder', tar({ name: '../out/', type: '5' }), /must not climb out/],
    ['climbing name behind ./', tar(file('./../x')), /must not climb out/],
    ['backslashes', tar(file('..\\x')), /^\.\.\\\\x must not have a backslash/],
    ['NUL in a pax name', tar(...unevenPax), /^a\\u0000b must not have NUL or other control/],
    ['control character', tar(file('a\u001b[2Jb')), /^a\\u001b\[2Jb must not have NUL or other control/],
    ['name that is not UTF-8', tar({ name: '\ufffd', content: 'x' }), /must have a name in UTF-8/],
    [
      'long part',
      tar(...paxFile({ path: 'n'.repeat(256) }, file('n'))),
      /must have parts of at most 255 bytes/,
    ],
    ['long name', tar(...paxFile({ path: 'n/'.repeat(600) + 'n' }, file('n'))), /must be at most 1024 bytes/],
    ['depth', tar(...paxFile({ path: deep }, file('n'))), /must have at most 64 parts/],
    ['file named as a folder', tar({ name: 'a/', content: 'x' }), /^a\/ must have the name of a file/],
    ['file without a name', tar(file('./')), /must have the name of a file/],
    ['same name twice', tar(file('a'), file('b'), file('a')), /^a must be in the archive only once/],
    [
      'same name twice, spelt otherwise',
      tar(file('a'), file('./a')),
      /^\.\/a must be in the archive only once/,
    ],
    [
      'names that differ in case',
      tar(file('Metadata.json'), file('metadata.json')),
      /must differ from Metadata.json/,
    ],
    ['folders that differ in case', tar(file('Src/a'), file('src/b')), /^src\/b must differ from Src/],
    ['names that differ in Unicode form', tar(file('é'), file('e\u0301')), /must differ from é/],
    ['file and folder', tar(file('a'), file('a/b')), /^a\/b must not make a both a file and a folder/],
    ['folder and file', tar(file('a/b'), file('a')), /^a must not make a both a file and a folder/],
    [
      'too many files',
      tar(...Array.from({ length: 13 }, (_, n) => file(`f${n}`))),
      /^f12 is beyond the 12 files/,
    ],
    ['too many folders', tar(file('1/2/3/4/5/6/7/8/9/10/11/12/13')), /is beyond the 12 files/],
    [
      'too large',
      tar({ name: 'big', content: Buffer.alloc(100_001) }),
      /^big takes the app past 100000 bytes/,
    ],
    [
      'too large together',
      tar(...['a', 'b'].map((name) => ({ name, content: Buffer.alloc(60_000) }))),
      /^b takes/,
    ],
    ['gzip bomb', tarGz({ name: 'big', content: Buffer.alloc(50_000_000) }), /^big takes the app past/],
    [
      'bomb of padding',
      gzipSync(Buffer.concat([tar(file('a')), Buffer.alloc(50_000_000)])),
      /unpacks to more than/,
    ],
    [
      'bomb of pax headers',
      gzipSync(
        Buffer.concat([
          ...Array.from({ length: 40 }, () =>
            tarEntry({ name: 'pax', type: 'x', content: Buffer.alloc(1_000_000, 0x31) }),
          ),
          tar(file('a')),
        ]),
      ),
      /archive /,
    ],
    [
      'size that lies upwards',
      tar({ name: 'a', content: 'x', size: 90_000 }),
      /^archive is (broken|cut off)/,
    ],
    ['size beyond all', tar({ name: 'a', content: 'x', size: '77777777777' }), /^a takes the app past/],
    ['negative size', tar({ name: 'a', content: 'x', size: '\xff'.repeat(12) }), /^archive is broken/],
    ['size that is no number', tar({ name: 'a', content: 'x', size: 'zzzzzzzzzzz' }), /^archive is broken/],
    [
      'cut off in a file',
      tar({ name: 'a', content: Buffer.alloc(5_000) }).subarray(0, 2_000),
      /^archive is broken/,
    ],
    ['cut off between files', tar(...FILES).subarray(0, 1024), /^archive is cut off/],
    [
      'broken header',
      Buffer.concat([tarEntry(file('a')), Buffer.alloc(512, 7), Buffer.alloc(1024)]),
      /^archive is broken/,
    ],
    ['gzip that is cut off', tarGz(...FILES).subarray(0, 150), /^archive is broken/],
    ['gzip of no tar', gzipSync('hello'), /^archive is broken/],
    ['no archive', Buffer.from('hello'), /^archive must be a tar, tar.gz or zip archive/],
    ['nothing', Buffer.alloc(0), /^archive must be a tar, tar.gz or zip archive/],
    ['rar', Buffer.from('Rar!\x1a\x07\x00'), /^archive must be a tar, tar.gz or zip archive/],
  ])('tar: %s', async (_, archive, rule) => {
    expect(await refused(archive)).toMatch(rule);
  });

  it.each<[string, Buffer, RegExp]>([
    ['symbolic link', zip({ name: 'a', content: '/etc', mode: 0o120777 }), /^a must not be a symbolic link/],
    ['device', zip({ name: 'a', mode: 0o020666 }), /^a must not be a device, pipe or socket/],
    ['named pipe', zip({ name: 'a', mode: 0o010644 }), /^a must not be a device, pipe or socket/],
    [
      'folder by its mode alone',
      zip({ name: 'a', mode: 0o040755 }),
      /^a must be a folder by its mode and by its name/,
    ],
    ['absolute name', zip(file('/x')), /^\/x must be relative/],
    ['climbing name', zip(file('a/../../x')), /must not climb out/],
    ['climbing folder', zip({ name: '../', mode: 0o040755, stored: true }), /must not climb out/],
    ['backslashes', zip(file('..\\..\\x')), /must not have a backslash/],
    ['drive letter', zip(file('C:\\x')), /must not have a backslash/],
    ['NUL', zip(file('a\0b')), /must not have NUL/],
    ['long part', zip(file('n'.repeat(256))), /must have parts of at most 255 bytes/],
    ['depth', zip(file(deep)), /must have at most 64 parts/],
    ['same name twice', zip(file('a'), file('a')), /must be in the archive only once/],
    ['names that differ in case', zip(file('A'), file('a')), /must differ from A/],
    [
      'too many files',
      zip(...Array.from({ length: 13 }, (_, n) => file(`f${n}`))),
      /^archive has more than the 12/,
    ],
    ['bomb', zip({ name: 'big', content: Buffer.alloc(50_000_000) }), /^big takes the app past/],
    [
      'bomb whose size lies',
      zip({ name: 'big', content: Buffer.alloc(50_000_000), size: 10 }),
      /^big is broken: too many bytes/,
    ],
    ['size that lies upwards', zip({ name: 'a', content: 'x', size: 50 }), /^a is broken: not enough bytes/],
    [
      'stored size that lies',
      zip({ name: 'a', content: 'x', size: 5, stored: true }),
      /^archive is broken: .*mismatch/,
    ],
    [
      'overlapping entries',
      zip({ name: 'a', content: 'x' }, { name: 'b', content: 'x', sharesWith: 0 }),
      /^b must not overlap/,
    ],
    [
      'another name before the content',
      zip({ name: 'a', localName: 'b', content: 'x' }),
      /^a has another name in front/,
    ],
    ['wrong checksum', zip({ name: 'a', content: 'x', crc: 1 }), /^a is broken: its checksum/],
    ['broken deflate', breakZip(zip({ name: 'a', content: 'hello hello hello' })), /^a is broken/],
    ['encrypted', zip({ name: 'a', content: 'x', flags: 0x801 }), /^a must not be encrypted/],
    ['other compression', zip({ name: 'a', content: 'x', method: 93 }), /^a must be stored or deflated/],
    [
      'folder with content',
      zip({ name: 'a/', content: 'x', mode: 0o040755 }),
      /^a\/ is a folder and has content/,
    ],
    ['cut off', zip(...FILES).subarray(0, 200), /^archive is broken/],
    ['directory beyond its end', moveDirectory(zip(...FILES)), /^archive is broken/],
  ])('zip: %s', async (_, archive, rule) => {
    expect(await refused(archive)).toMatch(rule);
  });

  it.each<[ArchiveFormat, Buffer]>([
    ['zip', tar(...FILES)],
    ['tar', zip(...FILES)],
    ['tar', tarGz(...FILES)],
    ['tar.gz', tar(...FILES)],
  ])('as %s when it is another format', async (format, archive) => {
    expect(await refused(archive, format)).toMatch(/^archive is [a-z.]+, though its format was given as/);
  });
});

/** The first byte of the content names a block type that deflate does not have. */
function breakZip(archive: Buffer): Buffer {
  archive[31] = 0xff;
  return archive;
}

function moveDirectory(archive: Buffer): Buffer {
  archive.writeUInt32LE(archive.length + 1_000, archive.length - 6);
  return archive;
}
