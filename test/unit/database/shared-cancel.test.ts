import { expect, it } from 'vitest';
import { DatabasePasswords } from '../../../src/domain/database/passwords.js';
import type { DatabaseServerEngine } from '../../../src/domain/database/server-engine.js';
import { SharedDatabaseProvider } from '../../../src/domain/database/shared.js';
import { SharedServer } from '../../../src/domain/database/shared-server.js';
import { SubnetPlan } from '../../../src/domain/ports/subnets.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';

const ENV_ID = 'env-00000000000a';

/** A server that goes on with what it has been sent, also when whoever sent it has gone: as MySQL does. */
class Server {
  readonly schemas = new Set<string>();
  readonly users = new Set<string>();
  registered = '';
  readonly making = deferred();
  readonly mayMake = deferred();

  readonly engine = {
    inspect: async () => ({ containerId: 'c', running: true, unhealthy: false, startedAt: 1, createdAt: 1 }),
    join: async () => 'network',
    leave: async () => [],
    rejoin: async () => {},
    runSql: async (sql: Uint8Array, _: unknown, { signal }: { signal?: AbortSignal }) => {
      const work = this.#run(Buffer.from(sql).toString());
      const gone = new Promise<never>((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      );
      return { exitCode: 0, errors: '', rows: await Promise.race([work, gone]) };
    },
  } as unknown as DatabaseServerEngine;

  async #run(sql: string): Promise<string> {
    const named = (statement: RegExp): string | undefined => statement.exec(sql)?.[1];
    this.registered =
      named(/INSERT IGNORE INTO berth.envs[^]*? SELECT '[^']+', '([^']+)'/) ?? this.registered;
    const made = named(/CREATE DATABASE `([^`]+)`/);
    if (made !== undefined) {
      this.making.resolve();
      await this.mayMake.promise;
      this.schemas.add(made);
      this.users.add(ENV_ID);
    } else if (sql.includes('DROP DATABASE')) {
      this.schemas.clear();
      this.users.clear();
      this.registered = '';
    }
    if (!sql.includes('JSON_OBJECT') || this.registered === '') return '';
    const row = { schema: this.registered, user: ENV_ID, initSql: '', maxConnections: 5, loaded: 0 };
    return `${JSON.stringify(row)}\n`;
  }
}

it('a deployment that is cancelled while its schema is being made ends when it is made, and its undo drops it', async () => {
  const mysql = new Server();
  const { engine } = mysql;
  const passwords = new DatabasePasswords(Buffer.alloc(32));
  const limits = { memoryBytes: 1, cpuMillis: 1, maxConnections: 10, publishPort: 0, subnet: '10.0.0.0/29' };
  const settings = { create: true, startTimeoutMs: 5_000, ...limits };
  const server = new SharedServer({
    ...{ engine, passwords, settings },
    image: async () => 'mysql:9',
    logger: new SilentLogger(),
  });
  const subnets = new SubnetPlan('10.1.0.0/16', 100, 29);
  const provider = new SharedDatabaseProvider({ server, engine, passwords, subnets });
  const controller = new AbortController();
  const target = { envId: ENV_ID, port: 100, directory: '/nowhere', initSqlFile: undefined };
  let ended = false;
  const prepared = provider
    .prepare(target, { provider: 'shared' }, controller.signal)
    .finally(() => (ended = true));
  await mysql.making.promise;
  controller.abort(new Error('DestroyEnv cancelled the deploy'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(false);
  mysql.mayMake.resolve();
  await expect(prepared).rejects.toThrow('DestroyEnv cancelled the deploy');
  await provider.remove(ENV_ID, {}, AbortSignal.timeout(5_000));
  expect([...mysql.schemas, ...mysql.users, mysql.registered]).toEqual(['']);
});
