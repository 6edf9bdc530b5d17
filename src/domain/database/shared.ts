import { readFile } from 'node:fs/promises';
import type { UndoneThing } from '../env/model.js';
import { BerthError } from '../errors.js';
import type { SubnetPlan } from '../ports/subnets.js';
import { DEFAULT_INIT_SQL } from './init-sql.js';
import { quotedName, quotedPattern, quotedText, sharedNetworkName, sharedSchemaName } from './names.js';
import type { DatabasePasswords } from './passwords.js';
import {
  HIDDEN,
  type DatabaseProvider,
  type DatabaseRequest,
  type DatabaseTarget,
  type HeldDatabase,
  type PreparedDatabase,
} from './provider.js';
import { SERVER_HOST, SERVER_PORT, type DatabaseServerEngine } from './server-engine.js';
import { SqlError, type SharedServer } from './shared-server.js';
import { sqlFileFailed } from './sql-error.js';
import { databaseVariables } from './variables.js';

/** Connections of an env's user at once, when metadata names no number (seed 000). */
const DEFAULT_MAX_CONNECTIONS = 5;
/** Connections that Berth itself may have at once. */
const ADMINISTRATORS = 16;
/** MySQL would wait a year for a transaction that somebody left open. */
const LOCK_WAIT_S = 3;
const LOCK_WAIT_TIMEOUT = '1205';

export interface SharedProviderOptions {
  server: SharedServer;
  engine: DatabaseServerEngine;
  passwords: DatabasePasswords;
  /** Subnets of the networks between the server and one env, by the env's port. */
  subnets: SubnetPlan;
}

/** A row of `berth.envs`: what Berth made on the server for one env. */
interface Registered {
  schema: string;
  user: string;
  /** Path of the SQL it began with; empty: none. */
  initSql: string;
  maxConnections: number;
  /** Whether the SQL was loaded to its end. */
  loaded: boolean;
}

/**
 * Databases on the one shared server: for each env a schema, a user of its own that may use nothing else, and a network
 * that nobody is in but the env's app and the server. The server's table `berth.envs` says what Berth made, and is
 * written before it is made and after it is dropped, so that no crash leaves a schema or a user that nobody knows.
 */
export class SharedDatabaseProvider implements DatabaseProvider {
  readonly name = 'shared';
  readonly awaitsAppHealth = true;
  /** Envs with a row from before this life, with the connections that each may have; undefined: not asked yet. Berth alone writes the table. */
  #earlier: Map<string, number> | undefined;
  /** Envs that this life has made a row for, or may have, likewise. */
  readonly #own = new Map<string, number>();

  constructor(private readonly options: SharedProviderOptions) {}

  async prepare(
    target: DatabaseTarget,
    request: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<PreparedDatabase> {
    const { server, engine, subnets } = this.options;
    const { envId } = target;
    await server.ensure(signal);
    const joined = engine.join(envId, subnets.forPort(target.port), signal);
    // Whichever fails first is thrown; the other one has settled by then, and undo finds what it made.
    const [network, made] = await bothSettled(joined, this.#schemaOf(target, request, signal));
    const { schema } = made.row;
    const loaded = target.initSqlFile === undefined ? ', empty' : ', loaded';
    return {
      ...this.#describe(made.row, this.#password(envId), network),
      detail: `schema ${schema}${made.kept ? ' as it was' : loaded}`,
    };
  }

  async preview(
    { envId }: Pick<DatabaseTarget, 'envId'>,
    request: DatabaseRequest,
  ): Promise<PreparedDatabase> {
    const { maxConnections = DEFAULT_MAX_CONNECTIONS } = request;
    const row = { schema: sharedSchemaName(envId, request.name), user: envId, maxConnections };
    return this.#describe(row, HIDDEN, sharedNetworkName(envId));
  }

  async shortage(
    { maxConnections = DEFAULT_MAX_CONNECTIONS }: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<{ subject: string; description: string } | undefined> {
    const { server } = this.options;
    // To count takes the server several times what all the rest before a deployment does: only where it may come to it.
    const capacity = await server.capacity(signal);
    if (capacity !== undefined) {
      const most = (await this.#mostConnections(signal)) + maxConnections + ADMINISTRATORS;
      if (most <= capacity) return undefined;
    }
    const { facts } = await server.look(signal);
    if (facts === undefined || facts.connections + maxConnections <= facts.maxConnections) return undefined;
    return {
      subject: 'database connections',
      description:
        `its app may have ${maxConnections} connections, and ${facts.connections} of the shared server's ` +
        `${facts.maxConnections} are in use (env.sharedDatabase.maxConnections)`,
    };
  }

  #describe(
    { schema, user, maxConnections }: Pick<Registered, 'schema' | 'user' | 'maxConnections'>,
    password: string,
    network: string,
  ): PreparedDatabase {
    const server = { host: SERVER_HOST, port: SERVER_PORT };
    return {
      environment: databaseVariables({ ...server, name: schema, user, password }),
      services: [],
      volumes: [],
      network,
      detail: `schema ${schema}`,
      data: { provider: this.name, ...server, schema, user, maxConnections },
    };
  }

  async abandon(envId: string, signal: AbortSignal): Promise<UndoneThing[]> {
    const left = await this.options.engine.leave(envId, signal);
    if (!(await this.#mayHold(envId, signal))) return left;
    const row = await this.#find(envId, signal);
    return row && !row.loaded ? [...left, ...(await this.#drop(envId, row, signal))] : left;
  }

  async remove(envId: string, _: Record<string, unknown>, signal: AbortSignal): Promise<UndoneThing[]> {
    const left = await this.options.engine.leave(envId, signal);
    if (!(await this.#mayHold(envId, signal))) return left;
    const row = await this.#find(envId, signal);
    return row ? [...left, ...(await this.#drop(envId, row, signal))] : left;
  }

  async reset(
    envId: string,
    request: DatabaseRequest,
    _: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<UndoneThing[]> {
    await this.options.server.ensure(signal);
    const row = await this.#find(envId, signal);
    if (!row) throw new BerthError('DATABASE_INIT_FAILED', `${envId} has no schema: deploy its app anew`);
    await this.#fill(envId, row, request, signal);
    return [{ kind: 'schema', name: row.schema }];
  }

  async tend(signal: AbortSignal): Promise<void> {
    const { engine, server } = this.options;
    if ((await engine.joinedEnvs(signal)).length > 0) await server.ensure(signal);
  }

  async listHeld(signal: AbortSignal): Promise<HeldDatabase[]> {
    const { engine, server } = this.options;
    if ((await engine.inspect(signal))?.running !== true) return [];
    await server.ensure(signal);
    const rows = await server.administer(
      `SELECT JSON_OBJECT('envId', env_id, 'schema', schema_name, 'user', user_name, 'connections', max_connections)
        FROM berth.envs;`,
      signal,
    );
    const held = rows.map(
      (row) => JSON.parse(row) as { envId: string; schema: string; user: string; connections: number },
    );
    this.#earlier ??= new Map(held.map(({ envId, connections }) => [envId, connections]));
    return held.flatMap(({ envId, schema, user }) => [
      { envId, kind: 'schema' as const, name: schema },
      { envId, kind: 'user' as const, name: user },
    ]);
  }

  /** The env's schema and user, made and filled unless they are there from an earlier deployment. */
  async #schemaOf(
    { envId, initSqlFile }: DatabaseTarget,
    request: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<{ row: Registered; kept: boolean }> {
    const maxConnections = request.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    const row = await this.#register(
      envId,
      {
        schema: sharedSchemaName(envId, request.name),
        user: envId,
        initSql: initSqlFile ?? '',
        maxConnections,
        loaded: false,
      },
      signal,
    );
    const wanted = { ...row, initSql: initSqlFile ?? '', maxConnections };
    if (!row.loaded) {
      await this.#fill(envId, wanted, request, signal);
      return { row: wanted, kept: false };
    }
    // What the app has written belongs to its user: a new deployment changes the user's limits and nothing else.
    await this.options.server.change(
      `UPDATE berth.envs SET init_sql = ${quotedText(wanted.initSql)}, max_connections = ${maxConnections}
        WHERE env_id = ${quotedText(envId)}; ${this.#grants(envId, wanted)}`,
      signal,
    );
    return { row: wanted, kept: true };
  }

  /**
   * The env's row, made when there is none.
   * @throws DATABASE_INIT_FAILED when a schema or a user of that name is there which Berth did not make
   */
  async #register(envId: string, wanted: Registered, signal: AbortSignal): Promise<Registered> {
    const { schema, user, initSql, maxConnections } = wanted;
    this.#own.set(envId, maxConnections);
    const id = quotedText(envId);
    const row = await this.#select(
      'change',
      envId,
      `INSERT IGNORE INTO berth.envs (env_id, schema_name, user_name, init_sql, max_connections)
        SELECT ${id}, ${quotedText(schema)}, ${quotedText(user)}, ${quotedText(initSql)}, ${maxConnections} FROM DUAL
        WHERE NOT EXISTS (SELECT 1 FROM information_schema.schemata WHERE schema_name = ${quotedText(schema)})
        AND NOT EXISTS (SELECT 1 FROM mysql.user WHERE user = ${quotedText(user)});`,
      signal,
    );
    if (row) return row;
    throw new BerthError(
      'DATABASE_INIT_FAILED',
      `the shared database has a schema ${schema} or a user ${user} that Berth did not make; drop it if nobody needs it`,
    );
  }

  #find(envId: string, signal: AbortSignal): Promise<Registered | undefined> {
    return this.#select('administer', envId, '', signal);
  }

  async #select(
    how: 'administer' | 'change',
    envId: string,
    before: string,
    signal: AbortSignal,
  ): Promise<Registered | undefined> {
    const [text] = await this.options.server[how](
      `${before} SELECT JSON_OBJECT('schema', schema_name, 'user', user_name, 'initSql', init_sql,
        'maxConnections', max_connections, 'loaded', loaded) FROM berth.envs WHERE env_id = ${quotedText(envId)};`,
      signal,
    );
    if (text === undefined) return undefined;
    const row = JSON.parse(text) as Registered;
    return { ...row, loaded: Boolean(row.loaded) };
  }

  /** Makes schema and user anew and loads the SQL, with the rights of that user alone. @throws DATABASE_INIT_FAILED */
  async #fill(
    envId: string,
    row: Registered,
    { initSql = DEFAULT_INIT_SQL }: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const { server } = this.options;
    const id = quotedText(envId);
    await this.#withoutLocks(row, signal, () =>
      server.change(
        `UPDATE berth.envs SET loaded = FALSE, init_sql = ${quotedText(row.initSql)}, max_connections = ${row.maxConnections}
          WHERE env_id = ${id};
        ${dropSchema(row)} CREATE DATABASE ${quotedName(row.schema)} CHARACTER SET utf8mb4;
        ${this.#grants(envId, row)}`,
        signal,
      ),
    );
    const session = { user: row.user, password: this.#password(envId), schema: row.schema };
    // With or without SQL of the app, its user has signed in on its schema over TCP then: the database is ready.
    const sql = row.initSql === '' ? Buffer.from('SELECT 1;') : await readFile(row.initSql);
    try {
      await server.load(sql, session, signal);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      throw sqlFileFailed(row.initSql === '' ? `schema ${row.schema}` : initSql, error.failure);
    }
    await server.change(`UPDATE berth.envs SET loaded = TRUE WHERE env_id = ${id};`, signal);
  }

  #grants(envId: string, { schema, user, maxConnections }: Registered): string {
    const account = accountOf(user);
    const password = quotedText(this.#password(envId));
    return `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY ${password};
      ALTER USER ${account} IDENTIFIED BY ${password} WITH MAX_USER_CONNECTIONS ${maxConnections};
      GRANT ALL ON ${quotedPattern(schema)}.* TO ${account};`;
  }

  async #drop(envId: string, row: Registered, signal: AbortSignal): Promise<UndoneThing[]> {
    await this.#withoutLocks(row, signal, () =>
      this.options.server.change(
        `DROP USER IF EXISTS ${accountOf(row.user)}; ${dropSchema(row)}
        DELETE FROM berth.envs WHERE env_id = ${quotedText(envId)};`,
        signal,
      ),
    );
    this.#own.delete(envId);
    this.#earlier?.delete(envId);
    return [
      { kind: 'schema', name: row.schema },
      { kind: 'user', name: row.user },
    ];
  }

  /** Repeats the work without those who hold it up: connections that the env's user left open. */
  async #withoutLocks(row: Registered, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SqlError) || error.failure.code !== LOCK_WAIT_TIMEOUT) throw error;
      const { server } = this.options;
      const ids = await server.administer(
        `SELECT id FROM information_schema.processlist WHERE user = ${quotedText(row.user)};`,
        signal,
      );
      for (const id of ids) {
        // It may have ended by itself.
        await server.administer(`KILL ${Number(id)};`, signal).catch(() => undefined);
      }
      await work();
    }
  }

  /**
   * Whether the server has something of the env; it answers then. A destroy asks every provider for every env, so an env
   * that never had a shared database must not need the server. One that had needs it up: what was made there is dropped
   * there, and with the last env gone nobody else brings it up.
   */
  async #mayHold(envId: string, signal: AbortSignal): Promise<boolean> {
    const { server } = this.options;
    if (this.#earlier !== undefined && !this.#own.has(envId) && !this.#earlier.has(envId)) return false;
    if (!(await server.ensureIfThere(signal))) return false;
    return this.#own.has(envId) || (await this.#rowsFromBefore(signal)).has(envId);
  }

  /** What all envs may have open at once; without end where the server does not answer. */
  async #mostConnections(signal: AbortSignal): Promise<number> {
    try {
      const all = new Map([...(await this.#rowsFromBefore(signal)), ...this.#own]);
      return [...all.values()].reduce((sum, connections) => sum + connections, 0);
    } catch {
      return Infinity;
    }
  }

  async #rowsFromBefore(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    if (this.#earlier === undefined) {
      const { server } = this.options;
      await server.ensure(signal);
      const rows = await server.administer('SELECT env_id, max_connections FROM berth.envs;', signal);
      this.#earlier ??= new Map(
        rows.map((row) => row.split('\t')).map(([id = '', count]) => [id, Number(count)]),
      );
    }
    return this.#earlier;
  }

  #password(envId: string): string {
    return this.options.passwords.of(`env:${envId}`);
  }
}

function accountOf(user: string): string {
  return `${quotedText(user)}@'%'`;
}

function dropSchema({ schema }: Registered): string {
  return `SET SESSION lock_wait_timeout = ${LOCK_WAIT_S}; DROP DATABASE IF EXISTS ${quotedName(schema)};`;
}

async function bothSettled<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}
