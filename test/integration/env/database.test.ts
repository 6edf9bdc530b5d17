import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import { chosen } from '../../run/extent.mjs';
import type { Env } from '../../../src/domain/env/model.js';
import { Death } from '../../support/env/dying-store.js';
import { named } from '../../support/env/env-harness.js';
import { installPackage } from '../../support/npm-packages.mjs';
import { docker } from '../../support/docker-cli.js';
import { appFiles, EnvWorld } from './env-world.js';
import { removeSharedServer, sharedServerOf } from '../../support/env/shared-server.js';

const NOTES = resolve(import.meta.dirname, '../../apps/notes');
const FIRST_NOTE = `from; the "app" 's file`;
const MIB = 1024 * 1024;
const run = promisify(execFile);

let world: EnvWorld;
beforeAll(async () => {
  world = await EnvWorld.open({ maxAppBytes: 16 * MIB, maxAppFiles: 5_000, memoryBytes: 256 * MIB });
  await mkdir(world.config.appsPath, { recursive: true });
  await cp(NOTES, join(world.config.appsPath, 'notes'), { recursive: true });
  await installPackage('mysql2', join(world.config.appsPath, 'notes'));
});
afterEach(async () => {
  await world.destroyAll();
  expect(await heldInDocker()).toEqual([]);
  expect(await registered()).toEqual([]);
  expect(await world.store.ports.list()).toEqual([]);
  expect(await readdir(world.config.basePath).catch(() => [])).toEqual([]);
});
afterAll(async () => {
  await removeSharedServer(world.owner);
  await world.expectNothingLeft();
  await world.close();
});

/** What envs have in Docker; the shared server stays. */
async function heldInDocker(): Promise<string[]> {
  return (await world.engine.envs.listOwned()).map((thing) => thing.name);
}

/** What Berth has on the shared server, as its own table and as MySQL itself say. */
async function registered(): Promise<string[]> {
  const signal = AbortSignal.timeout(240_000);
  if ((await world.sharedServer.look(signal)).state !== 'ready') return [];
  return await world.sharedServer.administer(
    `SELECT env_id FROM berth.envs;
     SELECT schema_name FROM information_schema.schemata WHERE schema_name REGEXP '_[0-9a-f]{12}$';
     SELECT user FROM mysql.user WHERE user LIKE 'env-%';`,
    signal,
  );
}

async function serverIds(): Promise<string[]> {
  const filter = [
    '--filter',
    `label=dev.berth.owner=${world.owner}`,
    '--filter',
    'label=dev.berth.kind=database',
  ];
  return (await docker('ps', '-aq', '--no-trunc', ...filter)).split('\n').filter((id) => id !== '');
}

async function ask(env: Env, path: string): Promise<unknown> {
  return await (await fetch(env.url + path)).json();
}

async function sql(env: Env, text: string): Promise<unknown> {
  return await ask(env, `/sql?sql=${encodeURIComponent(text)}`);
}

/** The notes app with other metadata, in a folder of its own. */
async function notesWith(appId: string, metadata: object, files: Record<string, string> = {}): Promise<void> {
  const folder = join(world.config.appsPath, appId);
  await cp(join(world.config.appsPath, 'notes'), folder, { recursive: true });
  await writeFile(join(folder, 'metadata.json'), JSON.stringify({ runtimeType: 'node', ...metadata }));
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
}

async function deployed(appId: string, more = {}): Promise<Env> {
  const { env, last } = await world.deploy(appId, [], more);
  expect(last).toMatchObject({ type: 'succeeded' });
  return env;
}

const CLI = (database: object) =>
  appFiles({ runtimeType: 'python', startCommand: ['sleep', '60'], stopGraceMs: 0, database }, {});

describe('the shared database', () => {
  it('is made once, however many envs ask for it at the same time', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, n) => world.deploy(`many-${n}`, CLI({ provider: 'shared' }))),
    );
    expect(all.map((one) => one.last.type)).toEqual(Array(10).fill('succeeded'));
    expect(await serverIds()).toHaveLength(1);
    expect((await registered()).length).toBe(30);
    const view = await world.sharedServer.look(AbortSignal.timeout(240_000));
    expect(view).toMatchObject({ state: 'ready', facts: { schemas: 10, maxConnections: 100 } });
    await Promise.all(all.map(({ env }) => world.run('destroy', env.id)));
    const networks = await docker(
      'inspect',
      '-f',
      '{{len .NetworkSettings.Networks}}',
      ...(await serverIds()),
    );
    expect(networks).toBe('1');
  });

  it('gives an app its schema with its SQL, and keeps its data over a replacement', async () => {
    const env = await deployed('notes');
    expect(await ask(env, '/notes')).toEqual([FIRST_NOTE]);
    expect(await ask(env, '/add?text=mine')).toBeNull();
    const name = `it's a \`note\` 100%_\\_${env.id.slice(4)}`;
    expect(await ask(env, '/by-url')).toEqual([{ name }]);
    expect(await ask(env, '/variables')).toMatchObject({
      APP_PORT: String(env.port),
      CONTAINER_PORT: '3000',
      DB_HOST: 'shared-mysql',
      DB_PORT: '3306',
      DB_NAME: name,
      DB_USER: env.id,
      DB_URL: expect.stringMatching(/^jdbc:mysql:.*allowPublicKeyRetrieval=true/) as string,
    });
    const replaced = await world.deploy('notes', [], { force: true });
    expect(replaced.last).toMatchObject({ outcome: 'replaced' });
    expect(await ask(replaced.env, '/notes')).toEqual([FIRST_NOTE, 'mine']);
    // Connections of its own number, and not one more.
    const opened = (await ask(replaced.env, '/connections?count=7')) as string[];
    expect(opened.filter((one) => one === 'open')).toHaveLength(5);
    expect(opened).toContain('ER_USER_LIMIT_REACHED');
    // What ResetEnv asks of the provider.
    const [provider] = world.databases.all;
    const signal = AbortSignal.timeout(240_000);
    expect(await provider?.reset(env.id, { provider: 'shared' }, {}, signal)).toEqual([
      { kind: 'schema', name },
    ]);
    expect(await ask(replaced.env, '/notes')).toEqual([FIRST_NOTE]);
  });

  it('keeps envs apart: no schema, no app and no network of another one is in reach', async () => {
    const [alice, bob] = await Promise.all([deployed('notes'), deployed('notes', { userId: 'bob' })]);
    const { DB_NAME: ofBob } = (await ask(bob, '/variables')) as { DB_NAME: string };
    const quoted = `\`${ofBob.replaceAll('`', '``')}\``;
    expect(await sql(alice, `SELECT * FROM ${quoted}.notes`)).toEqual({
      error: 'ER_TABLEACCESS_DENIED_ERROR',
    });
    expect(await sql(alice, `CREATE TABLE ${quoted}.mine (a INT)`)).toEqual({
      error: 'ER_TABLEACCESS_DENIED_ERROR',
    });
    expect(await sql(alice, 'SELECT * FROM berth.envs')).toEqual({ error: 'ER_TABLEACCESS_DENIED_ERROR' });
    // `_` and `%` in the name are no wildcards.
    const { DB_NAME: ofAlice } = (await ask(alice, '/variables')) as { DB_NAME: string };
    const near = `\`${ofAlice.replaceAll('`', '``').replace('100%_', '100xy')}\``;
    expect(await sql(alice, `CREATE DATABASE ${near}`)).toEqual({ error: 'ER_DBACCESS_DENIED_ERROR' });
    expect(JSON.stringify(await sql(alice, 'SHOW DATABASES'))).not.toContain(bob.id.slice(4));
    expect(await sql(alice, 'SELECT user AS name FROM information_schema.processlist')).toEqual([
      { name: alice.id },
    ]);

    const addresses = JSON.parse(
      await docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', bob.id),
    ) as Record<string, { IPAddress: string }>;
    expect(Object.keys(addresses).sort()).toEqual([`${bob.id}-db-net`, `${bob.id}-net`]);
    for (const { IPAddress } of Object.values(addresses)) {
      expect(await ask(alice, `/reach?host=${IPAddress}&port=3000`)).not.toBe('reached');
    }
    // The server's address in the other env's network is none of this one's.
    const server = JSON.parse(
      await docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', ...(await serverIds())),
    ) as Record<string, { IPAddress: string }>;
    const elsewhere = server[`${bob.id}-db-net`]?.IPAddress ?? '';
    expect(await ask(alice, `/reach?host=${elsewhere}&port=3306`)).not.toBe('reached');
    expect(await ask(alice, '/reach?host=shared-mysql&port=3306')).toBe('reached');
  });

  onlyInFull(
    it,
    'comes back with its data when its container is removed or stopped, and envs find it again',
    async () => {
      const env = await deployed('notes');
      await ask(env, '/add?text=before');
      await docker('rm', '-f', ...(await serverIds()));
      expect((await world.operations.reconcile({ dryRun: false })).errors).toEqual([]);
      expect(await ask(env, '/notes')).toEqual([FIRST_NOTE, 'before']);
      await world.run('stop', env.id);
      await docker('rm', '-f', ...(await serverIds()));
      expect((await world.run('start', env.id)).last).toMatchObject({ type: 'succeeded' });
      expect(await ask(env, '/notes')).toEqual([FIRST_NOTE, 'before']);
    },
  );

  onlyInFull(
    it,
    'that is down when an env goes is brought up to drop what it had, without what is gone',
    async () => {
      const shared = CLI({ provider: 'shared' });
      const { env } = await world.deploy('goes', shared);
      const [server = ''] = await serverIds();
      await docker('stop', server);
      // Its network goes with the env, and Docker starts no container that is in a network which is gone.
      expect((await world.run('destroy', env.id)).last).toMatchObject({ type: 'succeeded' });
      expect(await world.sharedServer.look(AbortSignal.timeout(240_000))).toMatchObject({
        state: 'ready',
        facts: { schemas: 0 },
      });
      // So it is with the network that it is in while no env uses it.
      await docker('stop', server);
      await docker('network', 'rm', `${sharedServerOf(world.owner)}-net`);
      expect((await world.deploy('comes', shared)).last).toMatchObject({ type: 'succeeded' });
      expect(await serverIds()).toEqual([server]);
    },
  );

  it.each([
    [
      'a broken SQL file',
      { 'init.sql': 'CREATE TABLE a (b INT);\n\nSELEC 1;\n' },
      /init\.sql .* line 3: MySQL says 1064: You have an error/,
    ],
    [
      'one that wants what is not its own',
      { 'init.sql': 'USE mysql;\n' },
      /line 1: MySQL says 1044: Access denied/,
    ],
    [
      'one that starts a program',
      { 'init.sql': 'SELECT 1;\n\\! id\n' },
      /line 2: MySQL says Unknown command/,
    ],
  ])('undoes everything for %s', async (_, files, message) => {
    const { last, events } = await world.deploy('broken', [...CLI({ provider: 'shared' }), ...plain(files)]);
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'DATABASE_INIT_FAILED', step: 'prepare_database', undoErrors: [] },
    });
    if (last.type === 'failed') expect(last.error.message).toMatch(message);
    expect(named(events, 'undo_completed')).toContain('prepare_database');
    expect(await registered()).toEqual([]);
    expect(await heldInDocker()).toEqual([]);
  });

  it('keeps passwords out of events, logs, the store and arguments of processes', async () => {
    const env = await deployed('notes');
    const { DB_PASSWORD: password } = (await ask(env, '/variables')) as { DB_PASSWORD: string };
    expect(password.length).toBeGreaterThan(20);
    const events = await world.store.envs.events(env.id, 0, 1_000);
    const { stdout: processes } = await run('ps', ['-eo', 'args']);
    const database = await readFile(join(world.directory, 'berth.db'), 'latin1');
    const journal = await readFile(join(world.directory, 'berth.db-wal'), 'latin1').catch(() => '');
    for (const text of [
      JSON.stringify(events),
      JSON.stringify(world.logger.lines),
      processes,
      database,
      journal,
    ]) {
      expect(text).not.toContain(password);
    }
  });

  it('is rid at a reconcile of what no env owns, and nothing that Berth did not make', async () => {
    const env = await deployed('notes');
    const signal = AbortSignal.timeout(240_000);
    await world.sharedServer.administer(
      `CREATE DATABASE somebodys; CREATE USER somebody IDENTIFIED BY 'x';
       CREATE DATABASE gone_0123456789ab; CREATE USER 'env-0123456789ab' IDENTIFIED BY 'x';
       INSERT INTO berth.envs VALUES ('env-0123456789ab', 'gone_0123456789ab', 'env-0123456789ab', '', 5, TRUE, NOW());`,
      signal,
    );
    // A daemon that was just started: it knows of none of them.
    world.restart();
    const dry = await world.operations.reconcile({ dryRun: true });
    expect(dry.databases.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      'schema gone_0123456789ab',
      'user env-0123456789ab',
    ]);
    await world.operations.reconcile({ dryRun: false });
    expect((await registered()).filter((name) => name.includes('0123456789ab'))).toEqual([]);
    const left = `SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'somebodys';
      SELECT user FROM mysql.user WHERE user = 'somebody';`;
    expect(await world.sharedServer.administer(left, signal)).toEqual(['somebodys', 'somebody']);
    await world.sharedServer.administer('DROP DATABASE somebodys; DROP USER somebody;', signal);
    expect(await ask(env, '/notes')).toEqual([FIRST_NOTE]);
  });

  it.each(chosen('commits at which a deployment with a database is cut off', [7, 8], String, ['7']))(
    'is rid of a deployment that was cut off at commit %i',
    async (at) => {
      const death = new Death(at, 'before');
      const dying = world.restart(death.over(world.store.envs));
      await dying.deploy(world.request('cut', CLI({ provider: 'shared' })));
      await dying.close(30_000);
      expect(death.dead).toBe(true);
      const recovered = world.restart();
      expect((await recovered.recover()).ended).toHaveLength(1);
      expect(await registered()).toEqual([]);
      expect(await heldInDocker()).toEqual([]);
    },
  );
});

describe("a database of an env's own", () => {
  it('is in its project, filled before the app starts, kept over stop, start and replacement', async () => {
    const name = "it's `own` 100%_";
    await notesWith('own', { database: { provider: 'standalone', name, maxConnections: 3 } });
    const env = await deployed('own');
    expect(await ask(env, '/notes')).toEqual([FIRST_NOTE]);
    expect(await ask(env, '/by-url')).toEqual([{ name }]);
    expect(await ask(env, '/connections?count=5')).toContain('ER_TOO_MANY_USER_CONNECTIONS');
    await ask(env, '/add?text=mine');
    const limits = '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.LogConfig.Config}}';
    expect(await docker('inspect', '-f', limits, `${env.id}-db`)).toBe(
      `${1024 * MIB} 2000000000 map[max-file:3 max-size:10m]`,
    );
    await world.run('stop', env.id);
    expect((await world.run('start', env.id)).last).toMatchObject({ type: 'succeeded' });
    expect(await ask(env, '/notes')).toEqual([FIRST_NOTE, 'mine']);
    const replaced = await world.deploy('own', [], { force: true });
    expect(replaced.last).toMatchObject({ outcome: 'replaced' });
    expect(await ask(replaced.env, '/notes')).toEqual([FIRST_NOTE, 'mine']);
  });

  onlyInFull(it, 'that its SQL does not fill names the line, and is undone', async () => {
    const files = { 'sql/start.sql': 'CREATE TABLE a (b INT);\nINSERT INTO c VALUES (1);\n' };
    const database = { provider: 'standalone', initSql: 'sql/start.sql' };
    const { last } = await world.deploy('broken', [...CLI(database), ...plain(files)]);
    expect(last).toMatchObject({
      type: 'failed',
      error: { reason: 'DATABASE_INIT_FAILED', step: 'start_containers', undoErrors: [] },
    });
    if (last.type === 'failed') {
      expect(last.error.message).toContain(
        "sql/start.sql cannot be loaded at line 2: MySQL says 1146: Table 'app.c'",
      );
    }
    expect(await heldInDocker()).toEqual([]);
  });

  it('needs an image and a file that are there', async () => {
    const missing = await world.deploy('missing', CLI({ provider: 'standalone', initSql: 'no.sql' }));
    expect(missing.last).toMatchObject({ type: 'failed', error: { reason: 'APP_INVALID' } });
    await expect(world.deploy('nobody', CLI({ provider: 'nosuch' }))).rejects.toMatchObject({
      reason: 'APP_INVALID',
      message: expect.stringContaining('must be one of: shared, standalone') as string,
    });
  });
});

function plain(files: Record<string, string>) {
  return Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0 }));
}
