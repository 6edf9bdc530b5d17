import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { openStore } from '#dist/src/store/open-store.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onlyInFull } from '../../run/extent.mjs';
import type { Store } from '../../../src/store/open-store.js';
import { freePort, startMysql, type MysqlDatabase, type TestMysql } from '../../support/mysql.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { contentionTests } from './mysql-contention.js';
import { claimed, KEY, stepStarted, type TestDatabase } from './suite/fixtures.js';
import { storeSuite } from './suite/index.js';

let server: TestMysql;

beforeAll(async () => {
  server = await startMysql();
});

afterAll(async () => {
  const databases = (await server.query(`SHOW DATABASES LIKE 'berth\\_test\\_%'`)) as unknown[];
  await server[Symbol.asyncDispose]();
  expect(databases).toEqual([]);
});

storeSuite('MySQL', { newDatabase });

describe('a MySQL server', () => {
  contentionTests(() => server, newDatabase);

  test('that is killed makes calls fail with STORE_UNAVAILABLE, and back again they work', async () => {
    await using database = await newDatabase();
    await using store = await database.open();
    const { env, operation } = await claimed(store);
    const changes: boolean[] = [];
    store.onHealthChange((health) => void (changes.at(-1) !== health.ok && changes.push(health.ok)));
    const lines = { envId: env.id, operationId: operation.id, body: stepStarted('s') };
    const committed: number[] = [];
    const writer = commitUntilRefused(store, lines, committed);
    await server.kill();
    await writer;
    expect(store.health()).toMatchObject({ ok: false });
    await expect(store.ports.claim(18_000, env.id)).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/MySQL at 127\.0\.0\.1:\d+\/berth_test_.*; start it, or correct/),
      retryAfterMs: expect.any(Number),
      cause: expect.any(Error),
    });
    const back = becomes(store, true);
    await server.start();
    await back;
    expect(changes).toEqual([false, true]);
    expect(await store.envs.findLive(KEY)).toEqual(env);
    const log = await store.envs.events(env.id, 0, 10_000);
    expect(log.map((event) => event.seq)).toEqual(log.map((_, i) => i + 1));
    // Acknowledged means committed: every seq that was handed out is there.
    expect(log.map((event) => event.seq)).toEqual(expect.arrayContaining(committed));
    expect(await store.ports.claim(18_000, env.id)).toBe(true);
  });

  test('that restarts between two calls is not noticed by the second', async () => {
    await using database = await newDatabase();
    await using store = await database.open();
    await Promise.all(Array.from({ length: 5 }, (_, i) => store.ports.claim(18_000 + i, 'env-a')));
    const ids = (await server.query(
      `SELECT id AS id FROM information_schema.processlist WHERE db = '${database.name}'`,
    )) as { id: number }[];
    expect(ids.length).toBeGreaterThan(0);
    for (const { id } of ids) await server.query(`KILL ${id}`);
    expect(await store.ports.claim(18_010, 'env-a')).toBe(true);
    expect(store.health().ok).toBe(true);
  });

  onlyInFull(test, 'that hangs does not hold calls or closing for long', async () => {
    await using database = await newDatabase();
    const store = await database.open();
    await store.ports.claim(18_000, 'env-a');
    await server.pause();
    try {
      const asked = Date.now();
      await expect(store.ports.used()).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
      const begun = Date.now();
      expect(begun - asked).toBeLessThan(13_000);
      await expect(store.ports.used()).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
      expect(Date.now() - begun).toBeLessThan(500);
      await store.close();
      expect(Date.now() - begun).toBeLessThan(2_500);
    } finally {
      await server.resume();
    }
  });

  test('that is not there yet does not stop the boot, and is migrated when it comes', async () => {
    await using database = await server.createDatabase();
    const gate = new Gate(server.port);
    const port = await freePort();
    await using store = await openStore({
      databaseUrl: database.url.replace(`:${server.port}/`, `:${port}/`),
      sqlitePath: '',
      logger: new SilentLogger(),
    });
    expect(store.health()).toMatchObject({ ok: false, reason: expect.stringMatching(/does not answer/) });
    await expect(store.envs.listLive()).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    const ready = becomes(store, true);
    await using _ = await gate.listen(port);
    await ready;
    expect(await store.envs.listLive()).toEqual([]);
  });

  test('that refuses the login says so without the password', async () => {
    const logger = new SilentLogger();
    await using store = await openStore({
      databaseUrl: `mysql://root:wrong-secret@127.0.0.1:${server.port}/berth`,
      sqlitePath: '',
      logger,
    });
    const { reason } = store.health();
    expect(reason).toMatch(/refuses: Access denied.*correct the user or password in BERTH_DATABASE_URL/);
    const error: unknown = await store.ports.used().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    for (const text of [reason, String(error), inspectAll(error), inspectAll(logger.lines)])
      expect(text).not.toContain('wrong-secret');
  });

  test('is spoken to over TLS when the URL asks for it, and its certificate is checked on request', async () => {
    await using database = await server.createDatabase();
    const open = (mode: string): Promise<Store> =>
      openStore({
        databaseUrl: `${database.url}?ssl-mode=${mode}`,
        sqlitePath: '',
        logger: new SilentLogger(),
      });
    await using encrypted = await open('REQUIRED');
    expect(await encrypted.ports.claim(18_000, 'env-a')).toBe(true);
    const threads = await server.query(
      `SELECT DISTINCT connection_type AS type FROM performance_schema.threads WHERE processlist_db = '${database.name}'`,
    );
    expect(threads).toEqual([{ type: 'SSL/TLS' }]);
    await using unproven = await open('VERIFY_IDENTITY');
    expect(unproven.health().reason).toMatch(/self-signed certificate.*correct ssl-mode or ssl-ca/);
  });

  test('without the database says so, and goes on when it is made', async () => {
    const name = 'berth_test_made_later';
    await using store = await openStore({
      databaseUrl: server.url(name),
      sqlitePath: '',
      logger: new SilentLogger(),
    });
    expect(store.health().reason).toMatch(/create the database/);
    const ready = becomes(store, true);
    await server.query(`CREATE DATABASE ${name}`);
    try {
      await ready;
      expect(await store.ports.claim(18_000, 'env-a')).toBe(true);
    } finally {
      await server.query(`DROP DATABASE ${name}`);
    }
  });

  test('keeps text with quotes and backslashes, whatever its sql_mode', async () => {
    await server.query(`SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'`);
    try {
      await using database = await newDatabase();
      await using store = await database.open();
      const hostile = String.raw`\'; DROP TABLE envs; -- `;
      // More claims than connections: reset sessions must have the mode again.
      for (let i = 0; i < 12; i++) {
        const { env } = await claimed(store, { userId: `${hostile}${i}`, stateReason: hostile });
        expect(await store.envs.get('default', env.id)).toEqual(env);
      }
    } finally {
      await server.query('SET GLOBAL sql_mode = DEFAULT');
    }
  });

  test.each(['0001-envs', '0002-operations'])('takes up migrations that were cut off in %s', async (last) => {
    await using database = await newDatabase();
    await (await database.open()).close();
    await server.query(`DELETE FROM ${database.name}.berth_migration WHERE name >= '${last}'`);
    await server.query(`DROP TABLE ${database.name}.checkpoints`);
    await server.query(`DROP TABLE ${database.name}.env_events`);
    await server.query(`DROP INDEX operations_by_state ON ${database.name}.operations`);
    await using store = await database.open();
    expect(store.health()).toEqual({ ok: true, reason: '' });
    await claimed(store);
  });
});

async function newDatabase(): Promise<TestDatabase & MysqlDatabase> {
  const database = await server.createDatabase();
  const open = (): Promise<Store> =>
    openStore({ databaseUrl: database.url, sqlitePath: '', logger: new SilentLogger() });
  return { ...database, open, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

/** Commits one event after the other and keeps what was acknowledged, until the store says that it is unavailable. */
async function commitUntilRefused(
  store: Store,
  event: { envId: string; operationId: string; body: ReturnType<typeof stepStarted> },
  committed: number[],
): Promise<void> {
  for (;;) {
    try {
      committed.push(...(await store.envs.commit({ events: [event] })).map(({ seq }) => seq));
    } catch (error) {
      expect(error).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
      return;
    }
  }
}

function becomes(store: Store, ok: boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = store.onHealthChange((health) => {
      if (health.ok !== ok) return;
      stop();
      resolve();
    });
  });
}

function inspectAll(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner instanceof Error
      ? { ...inner, message: inner.message, stack: inner.stack, cause: inner.cause }
      : inner,
  );
}

/** A TCP relay to the server that can be opened late. */
class Gate {
  constructor(private readonly target: number) {}

  async listen(port: number): Promise<AsyncDisposable> {
    const sockets = new Set<Socket>();
    const relay = createServer((client) => {
      const upstream = connect(this.target, '127.0.0.1');
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
      }
    }).listen(port, '127.0.0.1');
    await once(relay, 'listening');
    expect((relay.address() as AddressInfo).port).toBe(port);
    return {
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        relay.close();
        await once(relay, 'close');
      },
    };
  }
}
