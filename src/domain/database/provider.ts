import type { UndoneThing } from '../env/model.js';
import { BerthError } from '../errors.js';
import type { RecordedDatabase } from './variables.js';

/** `database` in metadata.json. */
export interface DatabaseRequest {
  /** Which provider serves it, e.g. `shared` or `standalone`. */
  provider: string;
  /** Of the schema; default: made from the env's id. */
  name?: string | undefined;
  /** SQL file of the app that the database begins with, relative to the app; default: `init.sql` where there is one. */
  initSql?: string | undefined;
  /** Image of a server of its own; default: the daemon's setting. */
  image?: string | undefined;
  /** Connections that the app's user may have at once; default 5. */
  maxConnections?: number | undefined;
}

/** The env that a database is for. */
export interface DatabaseTarget {
  envId: string;
  /** Its claimed port, which says its subnets too. */
  port: number;
  /** Folder in the env's directory for what belongs to its database; it is there. Absolute. */
  directory: string;
  /** Copy of the app's SQL in the env's directory, absolute: what the database begins with. Undefined: it begins empty. */
  initSqlFile: string | undefined;
  /** The schema that the env has from an earlier deployment with this provider; its data is kept. Absent: none. */
  keptSchema?: string | undefined;
}

/** What an env with a database gets from its provider. */
export interface PreparedDatabase {
  /** The app's variables: `DB_HOST`, `DB_URL` and the rest. They hold the password, and go into the compose file alone. */
  environment: Record<string, string>;
  /** Further services of the compose file (text of the template's `additionalServices`) that the app waits for. */
  services: { name: string; yaml: string }[];
  /** Named volumes of those services, by their key in the compose file. */
  volumes: { key: string; name: string }[];
  /** Name of a network that the app's container joins besides its own; empty: none. */
  network: string;
  /** For people, on the event. */
  detail: string;
  /** Recorded in the checkpoint and in the env's row. JSON, no secrets; of what an env tells of its database, what it has. */
  data: Partial<RecordedDatabase>;
}

/** Something of an env that a provider holds outside of the env's compose project. */
export interface HeldDatabase {
  envId: string;
  kind: 'schema' | 'user';
  name: string;
}

/**
 * How an env gets its database. A provider is one file that exports one of these, registered where the daemon is
 * put together. All methods may be repeated, and none needs more than the env's id to find what is the env's.
 */
export interface DatabaseProvider {
  /** `database.provider` in metadata.json. */
  readonly name: string;
  /** Whether a deployment waits for Docker's health of the app, where the app brings a check (seed 003's strategies). */
  readonly awaitsAppHealth: boolean;
  /** What `prepare` would give, with `not-shown` in place of passwords. Makes nothing. @throws IMAGE_NOT_FOUND */
  preview(
    target: Pick<DatabaseTarget, 'envId' | 'directory'>,
    request: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<PreparedDatabase>;
  /**
   * Makes the database ready, or for a database that has to be in the project says how it gets there. A database that the
   * env has already is kept with its data.
   */
  prepare(target: DatabaseTarget, request: DatabaseRequest, signal: AbortSignal): Promise<PreparedDatabase>;
  /** Takes back a `prepare` that did not come to its end; keeps a database that was there before it, or is loaded. */
  abandon(envId: string, signal: AbortSignal): Promise<UndoneThing[]>;
  /** Removes all that the provider holds of the env. `data` is of the checkpoint, `{}` where nobody knows it. */
  remove(envId: string, data: Record<string, unknown>, signal: AbortSignal): Promise<UndoneThing[]>;
  /**
   * Brings the database of an env back to what it began with, under the same name, user and password. What lies in the
   * env's named volumes is not meant: those are dropped and made anew by their own steps.
   */
  reset(
    envId: string,
    request: DatabaseRequest,
    data: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<UndoneThing[]>;
  /** What the provider lacks for one more database, such as connections; undefined: nothing. Absent: it lacks nothing. */
  shortage?(
    request: DatabaseRequest,
    signal: AbortSignal,
  ): Promise<{ subject: string; description: string } | undefined>;
  /** What the provider depends on outside of the envs is brought up again if envs need it. Cheap when all is well. */
  tend(signal: AbortSignal): Promise<void>;
  /** All that the provider holds, of whatever env: what reconcile compares with the rows. */
  listHeld(signal: AbortSignal): Promise<HeldDatabase[]>;
}

/** In the place of a password that nobody shall see; a word, which is the same in a URL. */
export const HIDDEN = 'not-shown';

export class DatabaseProviderRegistry {
  constructor(readonly all: readonly DatabaseProvider[] = []) {}

  /**
   * The provider that `request` asks for; undefined for an app without a database.
   * @throws APP_INVALID naming the field and the providers that there are
   */
  select(request: DatabaseRequest | undefined): DatabaseProvider | undefined {
    if (!request) return undefined;
    const provider = this.all.find((one) => one.name === request.provider);
    if (provider) return provider;
    const names = this.all.map((one) => one.name).sort();
    const rule = names.length === 0 ? 'is given by no provider here' : `must be one of: ${names.join(', ')}`;
    throw new BerthError('APP_INVALID', `metadata.json: database.provider "${request.provider}" ${rule}`, {
      violations: [{ field: 'metadata.json/database/provider', rule }],
    });
  }
}
