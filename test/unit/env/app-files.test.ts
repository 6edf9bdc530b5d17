import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileViolations, pathRule } from '../../../src/domain/env/app/files.js';
import { loadFromFolder } from '../../../src/domain/env/app/folder.js';
import { findAppFolder } from '../../../src/domain/env/catalogue/places.js';
import { loadFromRequest } from '../../../src/domain/env/app/request-files.js';

const LIMITS = { maxAppBytes: 10_000, maxAppFiles: 10 };
const METADATA = '{"runtimeType":"node"}';

describe('paths of files in a request', () => {
  it.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../../x',
    'a/..',
    './a',
    'a//b',
    'a/',
    'a\0b',
    'a\nb',
    'a\\..\\b',
    'C:\\x',
    'lone\ud800',
    'x'.repeat(256),
    'x/'.repeat(64) + 'x',
    ('x'.repeat(100) + '/').repeat(11) + 'x',
  ])('%j is refused', (path) => {
    expect(pathRule(path)).toBeTypeOf('string');
    const [violation] = fileViolations([{ path, content: Buffer.of(), mode: 0 }], LIMITS);
    expect(violation?.field).toBe('files[0].path');
  });

  it.each(['a', 'a/b.js', '.env', 'a/..b', 'näme/日本.txt', '%2e%2e/x'])('%j is taken as it is', (path) => {
    expect(pathRule(path)).toBeUndefined();
  });

  it('must be unique, not under each other, few and small', () => {
    const file = (path: string, bytes = 1) => ({ path, content: Buffer.alloc(bytes), mode: 0 });
    const fields = (files: ReturnType<typeof file>[]) =>
      fileViolations(files, LIMITS).map(({ field }) => field);
    expect(fields([file('a'), file('a')])).toEqual(['files[1].path']);
    expect(fields([file('a'), file('a/b')])).toEqual(['files[1].path']);
    expect(fields(Array.from({ length: 11 }, (_, n) => file(`f${n}`)))).toEqual(['files']);
    expect(fields([file('a', 5_000), file('b', 5_001)])).toEqual(['files']);
  });
});

describe('an app in the request', () => {
  const files = [
    { path: 'server.js', content: Buffer.from('x'), mode: 0 },
    { path: 'metadata.json', content: Buffer.from(METADATA), mode: 0 },
  ];

  it('has a digest of paths, modes and contents, in whatever order they come', () => {
    const digest = (list: typeof files) => loadFromRequest(list, undefined, LIMITS).digest;
    const [server, metadata] = files as [(typeof files)[0], (typeof files)[0]];
    expect(digest([metadata, server])).toBe(digest(files));
    expect(digest([metadata, { ...server, mode: 0o700 }])).not.toBe(digest(files));
    expect(digest([metadata, { ...server, mode: 0o600 }])).toBe(digest(files));
    expect(digest([metadata, { ...server, path: 'server.jt' }])).not.toBe(digest(files));
    expect(digest([metadata, { ...server, content: Buffer.from('y') }])).not.toBe(digest(files));
  });

  it('needs its metadata.json', () => {
    expect(() => loadFromRequest(files.slice(0, 1), undefined, LIMITS)).toThrow(/metadata.json is missing/);
  });
});

describe('an app in a folder', () => {
  let apps: string;
  beforeEach(async () => {
    apps = await mkdtemp(join(tmpdir(), 'berth-apps-'));
    await mkdir(join(apps, 'hello/src'), { recursive: true });
    await writeFile(join(apps, 'hello/metadata.json'), METADATA);
    await writeFile(join(apps, 'hello/server.js'), 'x');
    await writeFile(join(apps, 'hello/src/a.js'), 'y');
  });
  afterEach(async () => {
    await rm(apps, { recursive: true, force: true });
  });
  const find = (appId: string) =>
    findAppFolder({ owner: 'test', appsPath: apps }, { tenant: 'default', appId });
  const load = async (limits = LIMITS) => loadFromFolder((await find('hello')).path, undefined, limits);

  it('has the digest of the same files in a request', async () => {
    const app = await load();
    const files = [
      { path: 'metadata.json', content: Buffer.from(METADATA), mode: 0 },
      { path: 'server.js', content: Buffer.from('x'), mode: 0 },
      { path: 'src/a.js', content: Buffer.from('y'), mode: 0 },
    ];
    expect(app.digest).toBe(loadFromRequest(files, undefined, LIMITS).digest);
    expect([...app.topLevelFiles].sort()).toEqual(['metadata.json', 'server.js']);
    expect([...app.folders]).toEqual(['src']);
    await chmod(join(apps, 'hello/server.js'), 0o755);
    expect((await load()).digest).not.toBe(app.digest);
  });

  it('follows no link: its text counts, not what it points to', async () => {
    const secret = join(apps, 'secret');
    await writeFile(secret, 'one');
    await symlink(secret, join(apps, 'hello/link'));
    await symlink('/', join(apps, 'hello/root'));
    const first = await load();
    await writeFile(secret, 'two');
    expect((await load()).digest).toBe(first.digest);
    expect(first.folders.has('root')).toBe(false);
  });

  it('is refused with a linked metadata.json, a pipe, too much, or a folder outside', async () => {
    await expect(load({ ...LIMITS, maxAppFiles: 3 })).rejects.toMatchObject({ reason: 'APP_INVALID' });
    await expect(load({ ...LIMITS, maxAppBytes: 10 })).rejects.toMatchObject({ reason: 'APP_INVALID' });
    execFileSync('mkfifo', [join(apps, 'hello/pipe')]);
    await expect(load()).rejects.toMatchObject({
      reason: 'APP_INVALID',
      message: expect.stringContaining('pipe'),
    });
    await rm(join(apps, 'hello/pipe'));
    await rm(join(apps, 'hello/metadata.json'));
    await symlink('/etc/passwd', join(apps, 'hello/metadata.json'));
    await expect(load()).rejects.toMatchObject({
      violations: [{ field: 'metadata.json', rule: 'must not be a link' }],
    });
    await symlink('/etc', join(apps, 'outside'));
    for (const id of ['outside', 'absent', 'secret']) {
      await expect(find(id)).rejects.toMatchObject({
        reason: 'APP_NOT_FOUND',
      });
    }
  });
});
