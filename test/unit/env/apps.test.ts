import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppUpload } from '../../../src/domain/env/catalogue/uploads.js';
import { spool } from '../../../src/domain/env/catalogue/spool.js';
import { AppVersions } from '../../../src/domain/env/catalogue/versions.js';
import { deferred } from '../../../src/lib/deferred.js';
import { tar, zip } from '../../support/archives.js';
import { EnvHarness } from '../../support/env/env-harness.js';

const METADATA = '{"runtimeType":"node","containerPort":3000}';
const never = new AbortController().signal;

let world: EnvHarness;
beforeEach(async () => {
  world = await EnvHarness.open();
});
afterEach(async () => {
  await world.close();
});

const appTar = (server: string, metadata = METADATA) =>
  tar({ name: 'metadata.json', content: metadata }, { name: 'server.js', content: server });

async function* pieces(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function upload(archive: Buffer, options: Partial<AppUpload> = {}) {
  const request = {
    tenant: 'default',
    requestId: '',
    appId: 'shop',
    format: undefined,
    sizeBytes: 0,
    sha256: '',
    replace: false,
  };
  const data = pieces(archive.subarray(0, 700), archive.subarray(700));
  return world.operations.apps.upload({ ...request, ...options }, data, never);
}

/** Everything below the apps path, but what an upload that came to its end keeps. */
async function halfDone(): Promise<string[]> {
  const incoming = join(world.config.appsPath, '.uploads/test/.incoming');
  return await readdir(incoming).catch(() => []);
}

async function operatorApp(appId: string, files: Record<string, string>): Promise<string> {
  const folder = join(world.config.appsPath, appId);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const get = async (appId: string, tenant = 'default') =>
  await world.operations.apps.get({ tenant, appId }, never);
const list = (more: object = {}) =>
  world.operations.apps.list({ tenant: 'default', runtime: '', pageSize: 0, pageToken: '', ...more }, never);
const remove = (appId: string, more: object = {}) =>
  world.operations.apps.delete({ tenant: 'default', appId, requestId: '', ...more }, never);
const ids = async (more: object = {}) => (await list(more)).items.map(({ appId }) => appId);

describe('an upload', () => {
  it('can be deployed by its id, and is answered as it was stored', async () => {
    const app = await upload(appTar('one'));
    expect(app).toMatchObject({
      appId: 'shop',
      valid: true,
      fileCount: 2,
      sizeBytes: METADATA.length + 3,
      findings: [],
    });
    expect(app.metadata).toMatchObject({ runtimeType: 'node', containerPort: 3000 });
    const { env, last } = await world.deploy({ appId: 'shop', files: [] });
    expect(last).toMatchObject({ type: 'succeeded', outcome: 'deployed' });
    expect(env.appDigest).toBe(app.digest);
    expect(await readFile(join(env.appDirectory, 'server.js'), 'utf8')).toBe('one');
    expect(await halfDone()).toEqual([]);
    await world.destroy(env.id);
  });

  it('needs `replace` where the app exists, and then leaves running envs what they were deployed with', async () => {
    const first = await upload(appTar('one'));
    await expect(upload(appTar('two'))).rejects.toMatchObject({ reason: 'APP_EXISTS' });
    const { env } = await world.deploy({ appId: 'shop', files: [] });
    const second = await upload(appTar('two'), { replace: true });
    expect(second.digest).not.toBe(first.digest);
    expect(await readFile(join(env.appDirectory, 'server.js'), 'utf8')).toBe('one');
    const again = await world.deploy({ appId: 'shop', files: [] });
    expect(again.last).toMatchObject({ outcome: 'replaced' });
    expect(again.env.id).toBe(env.id);
    expect(await readFile(join(again.env.appDirectory, 'server.js'), 'utf8')).toBe('two');
    await world.destroy(env.id);
  });

  it('is its tenant’s: nobody else sees it, and it comes before the operator’s app of its id', async () => {
    await operatorApp('shop', { 'metadata.json': METADATA, 'server.js': 'operator' });
    await expect(upload(appTar('mine'))).rejects.toMatchObject({
      message: expect.stringContaining("operator's"),
    });
    const mine = await upload(appTar('mine'), { replace: true });
    await upload(appTar('only mine'), { appId: 'own' });
    expect((await get('shop')).app.digest).toBe(mine.digest);
    expect((await get('shop', 'other')).app.digest).not.toBe(mine.digest);
    await expect(get('own', 'other')).rejects.toMatchObject({ reason: 'APP_NOT_FOUND' });
    expect(await ids({ tenant: 'other' })).toEqual(['shop']);
    expect(await ids()).toEqual(['own', 'shop']);
    expect(await readFile(join(world.config.appsPath, 'shop/server.js'), 'utf8')).toBe('operator');
  });

  it.each<[string, Partial<AppUpload>, string]>([
    ['app_id', { appId: '../x' }, 'header.app_id'],
    ['no app_id', { appId: '' }, 'header.app_id'],
    ['tenant', { tenant: '..' }, 'tenant'],
    ['request_id', { requestId: 'a\n' }, 'header.request_id'],
    ['size_bytes', { sizeBytes: 256 * 1024 * 1024 + 1 }, 'header.size_bytes'],
    ['a size that is larger than the archive', { sizeBytes: 100_000 }, 'header.size_bytes'],
    ['a size that is smaller than the archive', { sizeBytes: 10 }, 'header.size_bytes'],
    ['sha256', { sha256: 'xyz' }, 'header.sha256'],
    ['the SHA-256 of something else', { sha256: 'a'.repeat(64) }, 'header.sha256'],
  ])('with a wrong %s is refused, and nothing is kept', async (_, options, field) => {
    await expect(upload(appTar('one'), options)).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      violations: [{ field }],
    });
    expect(await halfDone()).toEqual([]);
    expect(await ids()).toEqual([]);
  });

  it('with size and SHA-256 as announced is taken', async () => {
    const archive = appTar('one');
    const sha256 = createHash('sha256').update(archive).digest('hex').toUpperCase();
    await upload(archive, { sizeBytes: archive.length, sha256, format: 'tar' });
    expect(await ids()).toEqual(['shop']);
  });

  it.each<[string, Buffer, object]>([
    [
      'a hostile entry',
      tar({ name: '../x', content: 'x' }),
      { reason: 'ARCHIVE_INVALID', violations: [{ field: '../x' }] },
    ],
    ['no metadata.json', tar({ name: 'a', content: 'x' }), { violations: [{ field: 'metadata.json' }] }],
    [
      'its metadata.json in a folder',
      zip({ name: 'app/metadata.json', content: METADATA }),
      {
        reason: 'APP_INVALID',
        message: expect.stringContaining('there is app/metadata.json: pack what is in that folder'),
      },
    ],
    [
      'several mistakes',
      appTar('x', '{"runtimeType":"cobol","containerPort":0,"volume":[]}'),
      { violations: [{ field: 'metadata.json/containerPort' }, { field: 'metadata.json/volume' }] },
    ],
    [
      'an unknown runtime',
      appTar('x', '{"runtimeType":"cobol"}'),
      { violations: [{ field: 'metadata.json/runtimeType' }] },
    ],
  ])('with %s is refused, and the app that there is stays', async (_, archive, error) => {
    const before = await upload(appTar('one'));
    await expect(upload(archive, { replace: true })).rejects.toMatchObject(error);
    expect(await halfDone()).toEqual([]);
    expect((await get('shop')).app.digest).toBe(before.digest);
    expect(await readdir(join(world.config.appsPath, '.uploads/test/default/shop'))).toHaveLength(3);
  });

  it('of one request id is stored once, also after a restart', async () => {
    const first = await upload(appTar('one'), { requestId: 'r1' });
    expect(await upload(appTar('one'), { requestId: 'r1' })).toEqual(first);
    await expect(upload(appTar('two'), { requestId: 'r1' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    world.restart();
    expect(await upload(appTar('one'), { requestId: 'r1' })).toEqual(first);
    await expect(upload(appTar('two'), { requestId: 'r1' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    await expect(upload(appTar('one'), { requestId: 'r2' })).rejects.toMatchObject({ reason: 'APP_EXISTS' });
    await upload(appTar('two'), { requestId: 'r2', replace: true });
    expect(await upload(appTar('one'), { requestId: 'r0', replace: true })).toMatchObject({
      digest: first.digest,
    });
  });

  it('among many at once of one app: one is stored, the others are refused; with `replace` each is whole', async () => {
    const results = await Promise.allSettled(Array.from({ length: 6 }, (_, n) => upload(appTar(`v${n}`))));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'APP_EXISTS' });
    const digests = await Promise.all(
      Array.from({ length: 6 }, (_, n) => upload(appTar(`w${n}`), { replace: true })),
    );
    expect(new Set(digests.map(({ digest }) => digest)).size).toBe(6);
    expect(digests.map(({ digest }) => digest)).toContain((await get('shop')).app.digest);
  });

  it('beyond those that may run at once is refused with a time to try again', async () => {
    const release = deferred();
    async function* slow(): AsyncGenerator<Uint8Array> {
      await release.promise;
      yield appTar('x');
    }
    const request = { requestId: '', format: undefined, sizeBytes: 0, sha256: '', replace: true };
    const many = Array.from({ length: 8 }, (_, n) =>
      world.operations.apps.upload({ ...request, tenant: `t${n % 2}`, appId: `a${n}` }, slow(), never),
    );
    await expect(upload(appTar('x'))).rejects.toMatchObject({
      reason: 'OVERLOADED',
      retryAfterMs: expect.any(Number),
    });
    release.resolve();
    await Promise.all(many);
  });

  it('whose client goes away, or stalls, leaves nothing', async () => {
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield appTar('x').subarray(0, 600);
      abort.abort(new Error('gone'));
      await new Promise(() => {});
    }
    const request = {
      tenant: 'default',
      requestId: 'r',
      appId: 'shop',
      format: undefined,
      sizeBytes: 0,
      sha256: '',
      replace: true,
    };
    await expect(world.operations.apps.upload(request, endless(), abort.signal)).rejects.toThrow('gone');
    expect(await halfDone()).toEqual([]);
    expect(await ids()).toEqual([]);
    const stalled = spool(
      join(world.config.appsPath, 'spool'),
      neverEnding(),
      { sizeBytes: 0, sha256: '' },
      never,
      { stallMs: 1, totalMs: 1_000 },
    );
    await expect(stalled).rejects.toMatchObject({ reason: 'UPLOAD_STALLED' });
    const chunk = spool(
      join(world.config.appsPath, 'chunk'),
      pieces(Buffer.alloc(1024 * 1024 + 1)),
      { sizeBytes: 0, sha256: '' },
      never,
    );
    await expect(chunk).rejects.toMatchObject({ violations: [{ field: 'data' }] });
  });

  async function* neverEnding(): AsyncGenerator<Uint8Array> {
    await new Promise(() => {});
    yield Buffer.of();
  }

  it('that a crash cut off is removed at the next start; versions that nothing uses go, others stay', async () => {
    await upload(appTar('one'));
    const { env } = await world.deploy({ appId: 'shop', files: [] });
    await upload(appTar('two'), { replace: true });
    await upload(appTar('three'), { replace: true });
    const left = join(world.config.appsPath, '.uploads/test/.incoming/app-000000000000');
    await mkdir(left);
    await writeFile(join(left, 'archive'), 'half');
    await world.operations.apps.clear();
    expect(await halfDone()).toEqual([]);

    const folder = join(world.config.appsPath, '.uploads/test/default/shop');
    let now = 0;
    const versions = new AppVersions(world.config, () => now);
    const inUse = new Set([env.appDirectory]);
    expect(await versions.sweep(inUse)).toEqual([]);
    now = 10 * 60_000;
    expect(await versions.sweep(inUse)).toHaveLength(1);
    expect(await readdir(folder)).toHaveLength(5);
    expect(await readFile(join(env.appDirectory, 'server.js'), 'utf8')).toBe('one');
    await world.destroy(env.id);
    await versions.sweep(new Set());
    now *= 2;
    expect(await versions.sweep(new Set())).toEqual([env.appDirectory]);
    expect(await readdir(folder)).toHaveLength(3);
    expect((await get('shop')).app.valid).toBe(true);
  });

  it('of one tenant takes not all of the places, so that others find one', async () => {
    const release = deferred();
    async function* slow(): AsyncGenerator<Uint8Array> {
      await release.promise;
      yield appTar('x');
    }
    const request = { requestId: '', format: undefined, sizeBytes: 0, sha256: '', replace: true };
    const six = Array.from({ length: 6 }, (_, n) =>
      world.operations.apps.upload({ ...request, tenant: 'slow', appId: `a${n}` }, slow(), never),
    );
    await expect(upload(appTar('x'), { tenant: 'slow' })).rejects.toMatchObject({
      reason: 'OVERLOADED',
      quota: [{ subject: 'uploads of apps of tenant slow' }],
    });
    await upload(appTar('x'));
    release.resolve();
    await Promise.all(six);
  });

  it('beyond what a tenant may store is refused, by number and by size with all versions; nothing is left of it', async () => {
    Object.assign(world.config, { maxTenantApps: 2, maxTenantAppBytes: 40_000 });
    await upload(appTar('1'.repeat(10_000)), { appId: 'one' });
    await upload(appTar('2'), { appId: 'two' });
    await expect(upload(appTar('3'), { appId: 'three' })).rejects.toMatchObject({
      reason: 'APP_QUOTA',
      quota: [
        { subject: 'apps of tenant default', description: expect.stringContaining('env.maxTenantApps') },
      ],
    });
    // Another tenant's are its own.
    await upload(appTar('3'), { appId: 'three', tenant: 'other' });
    await upload(appTar('1'.repeat(9_000)), { appId: 'one', replace: true });
    const third = upload(appTar('1'.repeat(8_000)), { appId: 'one', replace: true });
    await expect(third).rejects.toMatchObject({
      reason: 'APP_QUOTA',
      quota: [{ description: expect.stringContaining('env.maxTenantAppBytes') }],
    });
    expect(await halfDone()).toEqual([]);
    await remove('one');
    await upload(appTar('3'.repeat(8_000)), { appId: 'three' });
    expect(await ids()).toEqual(['three', 'two']);
  });

  it('among many at once stays within the quota', async () => {
    Object.assign(world.config, { maxTenantApps: 2 });
    const many = Array.from({ length: 4 }, (_, n) => upload(appTar(`v${n}`), { appId: `a${n}` }));
    const results = await Promise.allSettled(many);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await ids()).toHaveLength(2);
  });

  it('to a folder that cannot be written names the folder', async () => {
    await rm(world.config.appsPath, { recursive: true, force: true });
    await writeFile(world.config.appsPath, 'a file');
    await expect(upload(appTar('x'))).rejects.toMatchObject({ reason: 'APPS_FOLDER' });
    await rm(world.config.appsPath);
  });
});

describe('the list of apps', () => {
  it('has wrong apps too, with all that is wrong with them', async () => {
    await operatorApp('good', { 'metadata.json': METADATA, 'server.js': '' });
    await operatorApp('no-metadata', { 'server.js': '' });
    await operatorApp('no-json', { 'metadata.json': '{' });
    const broken = await operatorApp('broken', {
      'metadata.json':
        '{"runtimeType":"node","containerPort":"x","colour":1,"volumes":[{"containerPath":"data"}]}',
    });
    execFileSync('mkfifo', [join(broken, 'pipe')]);
    await operatorApp('lost', {
      'metadata.json': '{"runtimeType":"node","volumes":[{"containerPath":"/w","hostPath":"web"}]}',
    });
    await symlink('/etc', join(world.config.appsPath, 'outside'));
    await mkdir(join(world.config.appsPath, 'no id'));
    await writeFile(join(world.config.appsPath, 'file'), '');

    const apps = (await list()).items;
    const found = Object.fromEntries(
      apps.map(({ appId, findings }) => [
        appId,
        findings.map(({ rule, path, field }) => `${rule} ${path} ${field}`),
      ]),
    );
    expect(found).toEqual({
      good: [],
      'no-metadata': ['metadata.unreadable metadata.json '],
      'no-json': ['metadata.unreadable metadata.json '],
      broken: [
        'metadata.invalid_value metadata.json containerPort',
        'metadata.invalid_value metadata.json volumes.0.containerPath',
        'metadata.unknown_key metadata.json colour',
        'app.files pipe ',
      ],
      lost: [
        'metadata.invalid_value metadata.json volumes.0.hostPath',
        'metadata.invalid_value metadata.json startCommand',
      ],
    });
    expect(apps.filter(({ valid }) => valid).map(({ appId }) => appId)).toEqual(['good']);
  });

  it('comes in pages, by id, and by runtime', async () => {
    for (const appId of ['b', 'a', 'd', 'c', 'e']) {
      const runtimeType = appId === 'c' ? 'python' : 'node';
      await operatorApp(appId, { 'metadata.json': JSON.stringify({ runtimeType, startCommand: 'x' }) });
    }
    const first = await list({ pageSize: 2 });
    expect(first.items.map(({ appId }) => appId)).toEqual(['a', 'b']);
    const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second.items.map(({ appId }) => appId)).toEqual(['c', 'd']);
    const third = await list({ pageSize: 2, pageToken: second.nextPageToken });
    expect([third.items.map(({ appId }) => appId), third.nextPageToken]).toEqual([['e'], '']);
    expect(await ids({ runtime: 'python' })).toEqual(['c']);
    expect(await list({ pageSize: 4, runtime: 'node' })).toMatchObject({ nextPageToken: '' });
    await expect(list({ runtime: 'node', pageToken: first.nextPageToken })).rejects.toMatchObject({
      reason: 'PAGE_TOKEN_INVALID',
    });
    await expect(list({ pageToken: 'x' })).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    await expect(list({ pageSize: 501 })).rejects.toMatchObject({ violations: [{ field: 'page_size' }] });
  });

  it('is empty without a folder of apps', async () => {
    expect(await list()).toEqual({ items: [], nextPageToken: '' });
  });
});

describe('one app', () => {
  it('is answered with its files in order, links with a warning where they lead out', async () => {
    const folder = await operatorApp('shop', { 'metadata.json': METADATA, 'server.js': 'x', 'a-b': '' });
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'a/c'), 'yy');
    await symlink('../server.js', join(folder, 'a/inside'));
    await symlink('/etc/hosts', join(folder, 'outside'));
    const { app, files } = await get('shop');
    expect(files.map(({ path, kind }) => `${path} ${kind}`)).toEqual([
      'a-b file',
      'a/c file',
      'a/inside link',
      'metadata.json file',
      'outside link',
      'server.js file',
    ]);
    expect(app).toMatchObject({
      valid: true,
      fileCount: 6,
      findings: [{ severity: 'warning', rule: 'app.link_outside', path: 'outside' }],
    });
    await writeFile(join(folder, 'a/c'), 'zz');
    expect((await get('shop')).app.digest).not.toBe(app.digest);
  });

  it('is not found under another name, and an id must be one', async () => {
    await expect(get('none')).rejects.toMatchObject({ reason: 'APP_NOT_FOUND' });
    await expect(get('.uploads')).rejects.toMatchObject({ violations: [{ field: 'app_id' }] });
  });
});

describe('the deletion of an app', () => {
  it('removes all its versions, and shows the operator’s app of its id again', async () => {
    await operatorApp('shop', { 'metadata.json': METADATA, 'server.js': 'operator' });
    const { digest } = (await get('shop')).app;
    await upload(appTar('one'), { replace: true });
    await upload(appTar('two'), { replace: true });
    await remove('shop', { requestId: 'd1' });
    expect((await get('shop')).app.digest).toBe(digest);
    expect(await readdir(join(world.config.appsPath, '.uploads/test/default'))).toEqual([]);
    // A repeat of the same request is answered as it was, and removes nothing again.
    await upload(appTar('three'), { replace: true });
    await remove('shop', { requestId: 'd1' });
    expect((await get('shop')).app.digest).not.toBe(digest);
    await remove('shop');
    await expect(remove('shop')).rejects.toMatchObject({ reason: 'APP_OF_OPERATOR' });
  });

  it('is refused while an env runs any version of it, and is its tenant’s alone', async () => {
    await upload(appTar('one'));
    const { env } = await world.deploy({ appId: 'shop', files: [] });
    await upload(appTar('two'), { replace: true });
    const refused = { reason: 'APP_IN_USE', message: expect.stringContaining(env.id) as string };
    await expect(remove('shop')).rejects.toMatchObject(refused);
    await expect(remove('shop', { tenant: 'other' })).rejects.toMatchObject({ reason: 'APP_NOT_FOUND' });
    await expect(remove('../shop')).rejects.toMatchObject({ violations: [{ field: 'app_id' }] });
    expect(await readFile(join(env.appDirectory, 'server.js'), 'utf8')).toBe('one');
    await world.destroy(env.id);
    await remove('shop');
    await expect(get('shop')).rejects.toMatchObject({ reason: 'APP_NOT_FOUND' });
  });
});
