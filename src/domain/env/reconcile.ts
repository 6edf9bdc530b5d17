import type { HeldDatabase } from '../database/provider.js';
import { messageOf } from '../errors.js';
import type { ActiveOperations } from './active-operations.js';
import type { OwnedThing } from './engine.js';
import type { EnvServices } from './env-services.js';
import type { Env } from './model.js';
import { keyText } from './requests.js';
import { listEnvDirectories, removeEnvDirectory } from './steps/directory.js';

/** Time that one call to a database provider may take. */
const DATABASE_LIMIT_MS = 150_000;

/** What does not fit together. After a run that is no dry run, strays are gone but for those in `errors`. */
export interface ReconcileReport {
  /** Of this owner in Docker, without a live env. */
  things: OwnedThing[];
  /** Claimed by an env that is not live. */
  ports: { port: number; envId: string }[];
  /** Env directories of this owner without a live env. */
  directories: { envId: string; directory: string }[];
  /** Schemas and users on a shared server that Berth made for an env that is not live. */
  databases: HeldDatabase[];
  /** Live envs at rest whose containers are gone; they become `broken`. */
  incomplete: { envId: string; missing: string }[];
  errors: string[];
}

/**
 * Compares what this daemon owns (Docker's labels, port rows, directory markers, schemas on the shared server) with the
 * live rows. The host is listed before the rows: what an env holds is made after its row and gone before its row ends, so
 * that nothing of a live env can look like a stray. What an env lacks is another matter: that is told only of a row that
 * was the same before the host was listed.
 */
export class Reconciler {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
  ) {}

  async reconcile({ dryRun }: { dryRun: boolean }): Promise<ReconcileReport> {
    const { engine, ports, store, config } = this.services;
    const before = new Map((await store.listLive()).map((env) => [env.id, env.updatedAt]));
    const [things, portRows, directories] = await Promise.all([
      engine.listOwned(),
      ports.list(),
      listEnvDirectories(config.basePath, config.owner),
    ]);
    const { held, errors } = await this.#heldDatabases();
    const live = new Map((await store.listLive()).map((env) => [env.id, env]));
    const report: ReconcileReport = {
      things: things.filter((thing) => !live.has(thing.envId)),
      ports: portRows.filter((row) => !live.has(row.envId)).map(({ port, envId }) => ({ port, envId })),
      directories: directories.filter((directory) => !live.has(directory.envId)),
      databases: held.filter((database) => !live.has(database.envId)),
      incomplete: [],
      errors,
    };
    // A database may be shared: whose directory is not here is another daemon's env.
    const ours = new Set(directories.map((directory) => directory.envId));
    const present = new Set(things.filter((thing) => thing.kind === 'container').map((thing) => thing.id));
    for (const env of live.values()) {
      const atRest = env.state === 'running' || env.state === 'stopped';
      if (!atRest || !ours.has(env.id) || this.active.find(env.id)) continue;
      if (before.get(env.id) !== env.updatedAt) continue;
      const missing = env.containerIds.filter((id) => !present.has(id));
      if (missing.length > 0)
        report.incomplete.push({ envId: env.id, missing: `container ${missing.join(', ')}` });
    }
    if (!dryRun) await this.#repair(report, live);
    return report;
  }

  /** A server that does not answer is told, and does not keep the rest from being mended. */
  async #heldDatabases(): Promise<{ held: HeldDatabase[]; errors: string[] }> {
    const held: HeldDatabase[] = [];
    const errors: string[] = [];
    for (const provider of this.services.databases.all) {
      try {
        held.push(...(await provider.listHeld(AbortSignal.timeout(DATABASE_LIMIT_MS))));
      } catch (error) {
        errors.push(`databases of the provider ${provider.name}: ${messageOf(error)}`);
      }
    }
    return { held, errors };
  }

  async #repair(report: ReconcileReport, live: ReadonlyMap<string, Env>): Promise<void> {
    const { engine, ports, config, logger } = this.services;
    const attempt = async (what: string, work: () => Promise<unknown>) => {
      try {
        await work();
        logger.warn({}, `reconcile: ${what}`);
      } catch (error) {
        report.errors.push(`${what}: ${messageOf(error)}`);
      }
    };
    // The port goes last: its subnet is free only when the network is gone.
    for (const envId of new Set(report.things.map((thing) => thing.envId))) {
      await attempt(`removed containers, networks and volumes of ${envId}`, () =>
        engine.remove(envId, { volumes: true }),
      );
    }
    for (const envId of new Set(report.databases.map((database) => database.envId))) {
      await attempt(`removed the database of ${envId}`, () => this.#removeDatabase(envId));
    }
    for (const provider of this.services.databases.all) {
      try {
        await provider.tend(AbortSignal.timeout(DATABASE_LIMIT_MS));
      } catch (error) {
        report.errors.push(`the provider ${provider.name}: ${messageOf(error)}`);
      }
    }
    for (const { envId, directory } of report.directories) {
      await attempt(`removed directory ${directory} of ${envId}`, () =>
        removeEnvDirectory(directory, config.basePath, { envId, owner: config.owner }),
      );
    }
    for (const { envId, port } of report.ports) {
      await attempt(`released port ${port} of ${envId}`, () => ports.releaseAll(envId));
    }
    for (const { envId, missing } of report.incomplete) {
      const env = live.get(envId);
      if (env) await attempt(`${envId} is broken: ${missing} is gone`, () => this.#markBroken(env, missing));
    }
  }

  async #removeDatabase(envId: string): Promise<void> {
    for (const provider of this.services.databases.all) {
      await provider.remove(envId, {}, AbortSignal.timeout(DATABASE_LIMIT_MS));
    }
  }

  async #markBroken(stale: Env, missing: string): Promise<void> {
    const { locks, store, events } = this.services;
    await locks.run(keyText(stale), async () => {
      const env = await store.get(stale.tenant, stale.id);
      const changed = !env || env.updatedAt !== stale.updatedAt || env.state !== stale.state;
      if (changed || this.active.find(env.id)) return;
      const reason = `${missing} is gone: somebody removed it. Reset the env, deploy its app anew, or destroy it`;
      await events.commit({
        env: { id: env.id, patch: { state: 'broken', stateReason: reason } },
        events: [
          {
            envId: env.id,
            operationId: '',
            body: { type: 'state_changed', from: env.state, state: 'broken', reason },
          },
        ],
      });
    });
  }
}
