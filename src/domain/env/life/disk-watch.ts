import { isBerthError, messageOf } from '../../errors.js';
import { treeSize } from '../../../lib/tree-size.js';
import type { ActiveOperations } from '../active-operations.js';
import type { EnvServices } from '../env-services.js';
import type { Env } from '../model.js';
import { changeAtRest } from './change-at-rest.js';

/** Measuring walks through files: not oftener than this. */
const MEASURE_EVERY_MS = 60_000;
/** Share of the limit from which on its users are warned. */
const WARN_SHARE = 0.8;
const MIB = 1024 * 1024;

/**
 * Measures what envs have on disk: their directory, named volumes and what their containers wrote beside them. Logs rotate
 * by themselves. An env near its limit is warned, one over it is stopped: its data stays, and its user can take it out or
 * reset it.
 */
export class DiskWatch {
  #measuredAt = Number.NEGATIVE_INFINITY;
  /** Envs that were warned and are over the warning line still. */
  readonly #warned = new Set<string>();

  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    private readonly stop: (env: Env, reason: string) => Promise<unknown>,
  ) {}

  /** Measures running envs, if the last time is long enough ago. */
  async look(envs: readonly Env[]): Promise<void> {
    const now = this.services.clock.now();
    if (now - this.#measuredAt < MEASURE_EVERY_MS) return;
    this.#measuredAt = now;
    const sizes = new Map<string, number>();
    for (const env of envs) {
      if (env.state !== 'running' || this.active.find(env.id)) continue;
      try {
        const bytes = (await this.services.engine.diskBytes(env.id)) + (await treeSize(env.directory));
        sizes.set(env.id, bytes);
        await this.#judge(env, bytes);
      } catch (error) {
        if (!isBerthError(error)) throw error;
        const text = `the disk use of an env could not be measured: ${messageOf(error)}`;
        this.services.logger.debug({ envId: env.id, err: error }, text);
      }
    }
    if (sizes.size > 0) await this.services.store.saveDiskBytes(sizes);
  }

  async #judge(env: Env, bytes: number): Promise<void> {
    const { maxDiskBytes } = this.services.config;
    if (bytes < maxDiskBytes * WARN_SHARE) {
      this.#warned.delete(env.id);
      return;
    }
    const over = bytes > maxDiskBytes;
    const told = this.#warned.has(env.id);
    const has = `it has ${mib(bytes)} on disk, of ${mib(maxDiskBytes)} that it may have`;
    if (over || !told) {
      const message = over ? `${has}, so it is stopped` : `${has}; past that it is stopped`;
      await changeAtRest(this.services, this.active, env, () => ({
        patch: {},
        events: [{ type: 'warning', code: 'DISK', message }],
      }));
      this.#warned.add(env.id);
    }
    if (over) await this.stop(env, `${has}. Take data out of it, or reset it`);
  }
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
