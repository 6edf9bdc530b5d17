import { sql } from 'kysely';
import type { EnvStore, LeaseStore, PortStore } from '../domain/env/store.js';
import type { ExecutionStore } from '../domain/sandbox/execution-store.js';
import type { Logger } from '../telemetry/logger.js';
import { Availability, type StoreHealth } from './availability.js';
import type { Backend } from './backend.js';
import { EnvRepository } from './env-repository.js';
import { ExecutionRepository } from './execution-repository.js';
import { LeaseRepository } from './lease-repository.js';
import { migrate } from './migrations/migrate.js';
import { mysqlBackend } from './mysql/backend.js';
import { parseDatabaseUrl } from './mysql/database-url.js';
import { PortRepository } from './port-repository.js';
import { sqliteBackend } from './sqlite/backend.js';
import { Transactor } from './transactor.js';

export type { StoreHealth } from './availability.js';

export interface StoreOptions {
  /** `mysql://user:password@host:port/database`; empty or undefined: SQLite. */
  databaseUrl?: string | undefined;
  /** The SQLite file; it and its directory are made when missing. Not used with a `databaseUrl`. */
  sqlitePath: string;
  logger: Logger;
}

export interface Store extends AsyncDisposable {
  readonly envs: EnvStore;
  readonly ports: PortStore;
  readonly executions: ExecutionStore;
  readonly leases: LeaseStore;
  health(): StoreHealth;
  /** Calls `listener` on each change of health; the answer unsubscribes. */
  onHealthChange(listener: (health: StoreHealth) => void): () => void;
  /** Waits a few seconds for calls under way, then closes everything. Later calls throw STORE_UNAVAILABLE. */
  close(): Promise<void>;
}

/**
 * Opens the store and brings its tables to this version. A MySQL that does not answer is not an error: the store resolves
 * with health not ok, its calls throw STORE_UNAVAILABLE, and it keeps trying until it works.
 * @throws BerthError INVALID_ARGUMENT when the URL is malformed; STORE_UNAVAILABLE when the SQLite file cannot be used
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { databaseUrl = '', sqlitePath, logger } = options;
  const usesMysql = databaseUrl !== '';
  const backend = usesMysql ? mysqlBackend(parseDatabaseUrl(databaseUrl)) : sqliteBackend(sqlitePath);
  const store = new OpenStore(backend, logger);
  await store.start();
  if (!usesMysql) await store.mustBeReady();
  return store;
}

class OpenStore implements Store {
  readonly envs: EnvStore;
  readonly ports: PortStore;
  readonly executions: ExecutionStore;
  readonly leases: LeaseStore;
  readonly #backend: Backend;
  readonly #availability: Availability;
  readonly #transactor: Transactor;

  constructor(backend: Backend, logger: Logger) {
    this.#backend = backend;
    this.#availability = new Availability({
      place: backend.place,
      advice: backend.advice,
      prepare: async () => {
        const made = await migrate(backend.db, backend.types);
        if (made.length > 0) logger.info({ store: backend.place, migrations: made }, 'store migrated');
      },
      probe: async () => {
        await sql`select 1`.execute(backend.db);
      },
      logger,
    });
    this.#transactor = new Transactor(backend.db, this.#availability);
    this.envs = new EnvRepository(this.#transactor);
    this.ports = new PortRepository(this.#transactor);
    this.executions = new ExecutionRepository(this.#transactor);
    this.leases = new LeaseRepository(this.#transactor, backend.types.now);
  }

  async start(): Promise<void> {
    await this.#availability.start();
  }

  async mustBeReady(): Promise<void> {
    try {
      this.#availability.assertReady();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  health(): StoreHealth {
    return this.#availability.health();
  }

  onHealthChange(listener: (health: StoreHealth) => void): () => void {
    return this.#availability.onChange(listener);
  }

  async close(): Promise<void> {
    await this.#transactor.drain();
    // The backend goes first: it ends a probe or a migration that hangs, which the loop would wait for.
    await Promise.all([this.#backend.close(), this.#availability.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
