import { beforeEach, describe, expect, it } from 'vitest';
import { DatabasePasswords } from '../../../src/domain/database/passwords.js';
import type {
  DatabaseServer,
  DatabaseServerEngine,
  DatabaseServerSpec,
  SqlOutcome,
} from '../../../src/domain/database/server-engine.js';
import { SharedServer } from '../../../src/domain/database/shared-server.js';
import { BerthError } from '../../../src/domain/errors.js';
import { SilentLogger } from '../../support/silent-logger.js';

const signal = AbortSignal.timeout(20_000);
const OK: SqlOutcome = { exitCode: 0, rows: '', errors: '' };
const NOT_YET: SqlOutcome = { exitCode: 1, rows: '', errors: "ERROR 2003 (HY000): Can't connect to server" };

/** A server in memory; `answers` are those of its next statements, then all succeed. */
class FakeServerEngine implements DatabaseServerEngine {
  server: DatabaseServer | undefined;
  data = false;
  answers: SqlOutcome[] = [];
  /** At so many more runs of statements it ends. */
  endsAtSql = 0;
  readonly calls: string[] = [];
  spec: DatabaseServerSpec | undefined;

  async inspect() {
    return this.server && { ...this.server };
  }
  async hasData() {
    return this.data;
  }
  async start(spec: DatabaseServerSpec) {
    this.calls.push('start');
    this.spec = spec;
    const startedAt = (this.server?.startedAt ?? 0) + 1;
    this.server ??= {
      containerId: 'c1',
      containerName: 'shared',
      image: spec.image,
      running: true,
      unhealthy: false,
      startedAt,
      createdAt: 1,
    };
    this.server = { ...this.server, running: true, unhealthy: false, startedAt };
    return this.server;
  }
  async stop() {
    this.calls.push('stop');
    this.#end();
  }
  async runSql() {
    this.calls.push('sql');
    if (--this.endsAtSql === 0) this.#end();
    return this.answers.shift() ?? OK;
  }
  #end() {
    if (this.server) this.server = { ...this.server, running: false };
  }
  async logTail() {
    return 'the last line of its log';
  }
  async join() {
    return '';
  }
  async leave() {
    return [];
  }
  async joinedEnvs() {
    return [];
  }
  async rejoin() {
    this.calls.push('rejoin');
  }
}

let engine: FakeServerEngine;
beforeEach(() => {
  engine = new FakeServerEngine();
});

function serverWith(create = true): SharedServer {
  return new SharedServer({
    engine,
    passwords: new DatabasePasswords(Buffer.alloc(32)),
    settings: {
      create,
      memoryBytes: 1,
      cpuMillis: 1,
      maxConnections: 10,
      publishPort: 0,
      subnet: '10.0.0.0/29',
      startTimeoutMs: 5_000,
    },
    image: async () => 'mysql:9',
    logger: new SilentLogger(),
  });
}

describe('the shared server', () => {
  it('is started once for all who ask, also while it does not answer yet', async () => {
    engine.answers = [NOT_YET, NOT_YET];
    const server = serverWith();
    const all = await Promise.all(Array.from({ length: 10 }, () => server.ensure(signal)));
    expect(new Set(all.map((one) => one.containerId)).size).toBe(1);
    expect(engine.calls).toEqual(['start', 'sql', 'sql', 'sql', 'rejoin']);
    await server.ensure(signal);
    expect(engine.calls).toHaveLength(5);
  });

  it('is brought up for the others when the first caller goes away', async () => {
    engine.answers = [NOT_YET];
    const server = serverWith();
    const first = new AbortController();
    const gone = server.ensure(first.signal);
    const other = server.ensure(signal);
    first.abort(new BerthError('CANCELLED', 'went away'));
    await expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect((await other).running).toBe(true);
  });

  it('of an earlier life is taken over, one that was started anew is looked at again', async () => {
    await serverWith().ensure(signal);
    const server = serverWith(false);
    await server.ensure(signal);
    expect(engine.calls.filter((call) => call === 'start')).toHaveLength(1);
    engine.server = { ...engine.server!, startedAt: 99 };
    engine.calls.length = 0;
    await server.ensure(signal);
    expect(engine.calls).toEqual(['sql', 'rejoin']);
  });

  it('is started when it stopped, and stopped and started when it is unwell', async () => {
    const server = serverWith();
    await server.ensure(signal);
    engine.server = { ...engine.server!, running: false };
    await server.ensure(signal);
    engine.server = { ...engine.server, unhealthy: true };
    await server.ensure(signal);
    expect(engine.calls.filter((call) => call !== 'sql')).toEqual([
      'start',
      'rejoin',
      'start',
      'rejoin',
      'stop',
      'start',
      'rejoin',
    ]);
  });

  it('that ends before it answers is started again', async () => {
    engine.answers = [NOT_YET];
    engine.endsAtSql = 1;
    const server = await serverWith().ensure(signal);
    expect(engine.calls).toEqual(['start', 'sql', 'start', 'sql', 'rejoin']);
    expect(server).toEqual(engine.server);
  });

  it('is brought up for what only wants it gone when there is one, or its data, and is not made for that', async () => {
    const server = serverWith();
    expect(await server.ensureIfThere(signal)).toBe(false);
    expect(engine.calls).toEqual([]);
    engine.data = true;
    expect(await server.ensureIfThere(signal)).toBe(true);
    engine.server = { ...engine.server!, running: false };
    expect(await server.ensureIfThere(signal)).toBe(true);
    expect(engine.calls.filter((call) => call === 'start')).toHaveLength(2);
  });

  it('is not made where the settings forbid it', async () => {
    const server = serverWith(false);
    await expect(server.ensure(signal)).rejects.toMatchObject({ reason: 'DATABASE_CREATION_OFF' });
    expect(engine.calls).toEqual([]);
    expect(await server.look(signal)).toMatchObject({ state: 'absent', creationAllowed: false });
  });

  it('that refuses its administrator says so, with the end of its log, and is tried again', async () => {
    engine.answers = [{ exitCode: 1, rows: '', errors: "ERROR 1045 (28000): Access denied for user 'root'" }];
    const server = serverWith();
    await expect(server.ensure(signal)).rejects.toMatchObject({
      reason: 'DATABASE_UNAVAILABLE',
      message: expect.stringMatching(
        /1045: Access denied.*another administrator password.*last line/,
      ) as string,
    });
    expect((await server.ensure(signal)).running).toBe(true);
  });
});
