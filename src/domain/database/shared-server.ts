import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../../lib/unless-aborted.js';
import type { Logger } from '../../telemetry/logger.js';
import { BerthError, isBerthError, messageOf } from '../errors.js';
import type { DatabasePasswords } from './passwords.js';
import type {
  DatabaseServer,
  DatabaseServerEngine,
  DatabaseServerSpec,
  SqlSession,
} from './server-engine.js';
import { sqlFailureIn, type SqlFailure } from './sql-error.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const STATEMENT_TIMEOUT_MS = 60_000;
/** A file that fills a schema may take its time. */
export const LOAD_TIMEOUT_MS = 15 * 60_000;

/** What Berth made on the server: nothing else is ever changed or dropped. */
const BOOTSTRAP = `
CREATE DATABASE IF NOT EXISTS berth;
CREATE TABLE IF NOT EXISTS berth.envs (
  env_id VARCHAR(64) NOT NULL PRIMARY KEY,
  schema_name VARCHAR(64) NOT NULL,
  user_name VARCHAR(32) NOT NULL,
  init_sql VARCHAR(4096) NOT NULL,
  max_connections INT NOT NULL,
  loaded BOOLEAN NOT NULL DEFAULT FALSE,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
`;

export interface SharedServerSettings extends Omit<DatabaseServerSpec, 'rootPassword' | 'image'> {
  /** Whether Berth may make the server when there is none. */
  create: boolean;
  /** Time from its start until it answers. */
  startTimeoutMs: number;
}

export interface SharedServerOptions {
  engine: DatabaseServerEngine;
  passwords: DatabasePasswords;
  settings: SharedServerSettings;
  /** Which image a new server gets. */
  image: (signal: AbortSignal) => Promise<string>;
  logger: Logger;
}

/** The server for people. */
export interface SharedServerView {
  state: 'absent' | 'starting' | 'ready' | 'unhealthy';
  server: DatabaseServer | undefined;
  /** Undefined unless it answers. */
  facts:
    | { version: string; schemas: number; connections: number; maxConnections: number; dataBytes: number }
    | undefined;
  creationAllowed: boolean;
  /** What is wrong with it; empty: nothing. */
  message: string;
}

/** Statements that failed on the shared server. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  constructor(readonly failure: SqlFailure) {
    super(`MySQL says ${failure.code}: ${failure.message}`);
  }
}

/**
 * The one server that envs share. It is made when it is first needed, by one call however many ask; a container of an
 * earlier life is taken over; one that is gone, ended or unwell is brought back with its data.
 *
 * What a caller waits for goes on when the caller goes away, for others may wait for it too.
 */
export class SharedServer {
  /** The container, and its start, that is known to answer. */
  #ready = '';
  #bringingUp: Promise<DatabaseServer> | undefined;
  /** What it said, and in which life. */
  #capacity: { life: string; connections: number } | undefined;

  constructor(private readonly options: SharedServerOptions) {}

  /**
   * Answers when the server takes connections.
   * @throws DATABASE_CREATION_OFF, DATABASE_UNAVAILABLE, IMAGE_NOT_FOUND, DOCKER_UNAVAILABLE, `signal.reason`
   */
  async ensure(signal: AbortSignal): Promise<DatabaseServer> {
    return await this.#ensured(await this.options.engine.inspect(signal), signal);
  }

  /** As `ensure` where there is a server, or data of one. @returns whether there is */
  async ensureIfThere(signal: AbortSignal): Promise<boolean> {
    const { engine } = this.options;
    const found = await engine.inspect(signal);
    if (!found && !(await engine.hasData(signal))) return false;
    await this.#ensured(found, signal);
    return true;
  }

  async #ensured(found: DatabaseServer | undefined, signal: AbortSignal): Promise<DatabaseServer> {
    if (found?.running && !found.unhealthy && this.#ready === lifeOf(found)) return found;
    this.#bringingUp ??= this.#bringUp().finally(() => (this.#bringingUp = undefined));
    return await unlessAborted(this.#bringingUp, signal);
  }

  /** Statements of the administrator. @returns rows, one a line @throws SqlError, DATABASE_UNAVAILABLE */
  administer(sql: string, signal: AbortSignal): Promise<string[]> {
    return this.#run(Buffer.from(sql), 'administrator', { timeoutMs: STATEMENT_TIMEOUT_MS, signal });
  }

  /**
   * As `administer`, for statements that make or drop something. They are not cancelled in flight: the server would finish
   * what it has been sent all the same, unseen by the undo that follows.
   */
  change(sql: string, signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    return this.#run(Buffer.from(sql), 'administrator', { timeoutMs: STATEMENT_TIMEOUT_MS });
  }

  /** Statements of an env's user, from a file as it is. @throws SqlError, DATABASE_UNAVAILABLE */
  async load(sql: Uint8Array, session: Exclude<SqlSession, string>, signal: AbortSignal): Promise<void> {
    await this.#run(sql, session, { timeoutMs: LOAD_TIMEOUT_MS, signal });
  }

  /** A live look at it. Makes nothing. */
  async look(signal: AbortSignal): Promise<SharedServerView> {
    const { engine, settings } = this.options;
    const server = await engine.inspect(signal);
    const view = { server, facts: undefined, creationAllowed: settings.create, message: '' };
    if (this.#bringingUp) return { ...view, state: 'starting' };
    if (!server) return { ...view, state: 'absent' };
    if (!server.running) return { ...view, state: 'unhealthy', message: 'its container does not run' };
    try {
      const facts = await this.#facts(signal);
      this.#capacity = { life: lifeOf(server), connections: facts.maxConnections };
      return { ...view, state: 'ready', facts };
    } catch (error) {
      signal.throwIfAborted();
      return { ...view, state: 'unhealthy', message: messageOf(error) };
    }
  }

  /** The connections that it takes; undefined: nobody has had a look at it since it was started. Asks Docker alone. */
  async capacity(signal: AbortSignal): Promise<number | undefined> {
    const server = await this.options.engine.inspect(signal);
    const known = server?.running && this.#capacity?.life === lifeOf(server);
    return known ? this.#capacity?.connections : undefined;
  }

  async #bringUp(): Promise<DatabaseServer> {
    const { engine, settings, logger } = this.options;
    const signal = AbortSignal.timeout(settings.startTimeoutMs);
    try {
      const found = await engine.inspect(signal);
      if (!found && !settings.create) throw creationOff();
      if (found?.unhealthy) {
        logger.warn({ container: found.containerId }, 'the shared database is unwell and is started anew');
        await engine.stop(signal);
      }
      const runs = found?.running && !found.unhealthy;
      const server = await this.#untilAnswers(runs ? found : await this.#start(signal), signal);
      await engine.rejoin(signal);
      this.#ready = lifeOf(server);
      logger.info(
        { event: 'shared_database_ready', container: server.containerId },
        'the shared database takes connections',
      );
      return server;
    } catch (error) {
      if (isBerthError(error) && !signal.aborted) throw error;
      throw await this.#unavailable(error, signal.aborted);
    }
  }

  async #start(signal: AbortSignal): Promise<DatabaseServer> {
    const { engine, settings, passwords, logger, image } = this.options;
    const spec = {
      ...settings,
      image: await image(signal),
      rootPassword: passwords.of('shared-server:root'),
    };
    const server = await engine.start(spec, signal);
    // Else Docker's restart policy is at it, and has its own time.
    if (server.running) {
      logger.info(
        { event: 'shared_database_started', container: server.containerId, image: server.image },
        'the shared database was started',
      );
    }
    return server;
  }

  /**
   * MySQL answers on its socket once during its own set-up; over TCP it answers when that is done. One that ends before
   * is started again, unless Docker's restart policy is at it.
   * @returns the server that answered
   */
  async #untilAnswers(started: DatabaseServer, signal: AbortSignal): Promise<DatabaseServer> {
    const { engine } = this.options;
    let server = started;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
      try {
        await this.administer(BOOTSTRAP, signal);
        return server;
      } catch (error) {
        signal.throwIfAborted();
        // 2003: it does not listen yet. 2013: it went away again, as it does at the end of its set-up.
        const early = error instanceof SqlError && ['2003', '2013', '2002'].includes(error.failure.code);
        if (!early && !isBerthError(error, 'DATABASE_UNAVAILABLE')) throw error;
        const now = await engine.inspect(signal);
        if (now?.containerId !== server.containerId) throw error;
        server = now.running ? now : await this.#start(signal);
      }
      await sleep(pauseMs, undefined, { signal });
    }
  }

  async #unavailable(cause: unknown, late: boolean): Promise<BerthError> {
    const { engine, settings } = this.options;
    const log = await engine.logTail(AbortSignal.timeout(2_000)).catch(() => '');
    const why = late ? `it does not answer within ${settings.startTimeoutMs} ms` : messageOf(cause);
    const denied = cause instanceof SqlError && cause.failure.code === '1045';
    const hint = denied ? '. Its data has another administrator password than this daemon knows' : '';
    const said = log === '' ? '' : `. Its log ends with: ${log}`;
    return new BerthError('DATABASE_UNAVAILABLE', `the shared database: ${why}${hint}${said}`, {
      cause,
      retryAfterMs: 10_000,
    });
  }

  async #facts(signal: AbortSignal): Promise<NonNullable<SharedServerView['facts']>> {
    const [row = ''] = await this.administer(
      `SELECT VERSION(), (SELECT COUNT(*) FROM berth.envs),
        (SELECT COUNT(*) FROM information_schema.processlist WHERE user NOT IN ('event_scheduler', 'system user')) - 1,
        @@max_connections,
        (SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables);`,
      signal,
    );
    const [version = '', ...numbers] = row.split('\t');
    const [schemas = 0, connections = 0, maxConnections = 0, dataBytes = 0] = numbers.map(Number);
    return { version, schemas, connections, maxConnections, dataBytes };
  }

  async #run(
    sql: Uint8Array,
    session: SqlSession,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<string[]> {
    const { exitCode, rows, errors } = await this.options.engine.runSql(sql, session, options);
    if (exitCode === 0) return rows.split('\n').filter((row) => row !== '');
    const failure = sqlFailureIn(errors);
    if (failure) throw new SqlError(failure);
    const said = errors.trim().slice(-500);
    throw new BerthError(
      'DATABASE_UNAVAILABLE',
      `MySQL's client in the shared database's container ended with ${exitCode}${said && `: ${said}`}`,
      { retryAfterMs: 5_000 },
    );
  }
}

function lifeOf({ containerId, startedAt }: DatabaseServer): string {
  return `${containerId}@${startedAt}`;
}

function creationOff(): BerthError {
  return new BerthError(
    'DATABASE_CREATION_OFF',
    'there is no shared database, and berthd may not make one: set env.sharedDatabase.create to on, or use the provider "standalone"',
  );
}
