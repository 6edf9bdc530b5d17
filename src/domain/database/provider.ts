import type { UndoneThing } from '../env/model.js';
import { BerthError } from '../errors.js';

/** `database` in metadata.json. */
export interface DatabaseRequest {
  /** Which provider serves it, e.g. `shared` or `standalone`. */
  provider: string;
}

/** What an env with a database gets from its provider. */
export interface PreparedDatabase {
  /** The app's variables: `DB_HOST`, `DB_URL` and the rest. */
  environment: Record<string, string>;
  /** Further services of the compose file (text of the template's `additionalServices`) that the app depends on. */
  services: { name: string; yaml: string }[];
  /** Recorded in the checkpoint, so that `remove` needs nothing else. JSON, no secrets. */
  data: Record<string, unknown>;
}

/**
 * How an env gets its database. A provider is one file that exports one of these, registered where the daemon is
 * put together.
 */
export interface DatabaseProvider {
  /** `database.provider` in metadata.json. */
  readonly name: string;
  /** Whether a deployment waits for Docker's health of the app and verifies its container (seed 003's strategies). */
  readonly awaitsAppHealth: boolean;
  /**
   * What `prepare` would give, with `***` in place of passwords and nothing made, for a dry run. Optional: without it a
   * dry run says that the database's part is not shown.
   */
  preview?(env: { id: string; port: number; directory: string }, request: DatabaseRequest): PreparedDatabase;
  prepare(envId: string, request: DatabaseRequest, signal: AbortSignal): Promise<PreparedDatabase>;
  /** Undoes `prepare`, also a half-done one. Repeatable. */
  remove(envId: string, data: Record<string, unknown>, signal: AbortSignal): Promise<UndoneThing[]>;
}

export class DatabaseProviderRegistry {
  constructor(readonly all: readonly DatabaseProvider[] = []) {}

  /**
   * The provider that `request` asks for; undefined for an app without a database.
   * @throws NOT_BUILT naming the field when this version does not have it
   */
  select(request: DatabaseRequest | undefined): DatabaseProvider | undefined {
    if (!request) return undefined;
    const provider = this.all.find((one) => one.name === request.provider);
    if (provider) return provider;
    throw new BerthError(
      'NOT_BUILT',
      `metadata.json asks for a database ("${request.provider}"), which this version of Berth cannot give yet; ` +
        'remove "database" to deploy the app without one',
      { violations: [{ field: 'metadata.json/database/provider', rule: 'is not built yet' }] },
    );
  }
}
