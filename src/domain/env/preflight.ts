import { BerthError } from '../errors.js';
import type { ActiveOperations } from './active-operations.js';
import type { EnvServices } from './env-services.js';
import type { OperationHandle } from './event-log.js';
import type { Plan } from './plan.js';
import type { Deployment } from './steps/context.js';

const RETRY_MS = 30_000;
const MIB = 1024 * 1024;

/** One thing that is short, as QuotaFailure names it. */
export interface Shortage {
  subject: string;
  description: string;
}

/**
 * Looks before the first step whether the host has what a deployment needs. Where something is short, envs whose time is
 * over are ended first; what is short even then is named, each thing of it, and nothing was touched.
 */
export class Preflight {
  constructor(
    private readonly services: EnvServices,
    private readonly active: ActiveOperations,
    /** Begins to end what is over. */
    private readonly sweep: () => Promise<OperationHandle[]>,
  ) {}

  /** @throws ENV_CAPACITY */
  async check(plan: Plan, deployment: Deployment, signal?: AbortSignal): Promise<void> {
    if (plan.decision !== 'create') return;
    if ((await this.#shortages(deployment, signal)).length === 0) return;
    await this.#endWhatIsOver();
    const shortages = await this.#shortages(deployment, signal);
    if (shortages.length === 0) return;
    const said = shortages.map(({ description }) => description).join('; ');
    throw new BerthError(
      'ENV_CAPACITY',
      `the host lacks what the deployment needs: ${said}. Destroy envs that are not needed, or try again later`,
      { quota: shortages, retryAfterMs: RETRY_MS },
    );
  }

  async #endWhatIsOver(): Promise<void> {
    const begun = await this.sweep();
    await Promise.all(
      begun.map(async ({ env }) => {
        await this.active.find(env.id)?.settled;
      }),
    );
  }

  async #shortages({ app, database, spec }: Deployment, signal?: AbortSignal): Promise<Shortage[]> {
    const { config, ports, subnets, resources } = this.services;
    const shortages: Shortage[] = [];
    const add = (subject: string, description: string): void => void shortages.push({ subject, description });

    const used = new Set((await ports.list()).map(({ port }) => port));
    const free: number[] = [];
    for (let port = config.portFirst; port <= config.portLast; port++) if (!used.has(port)) free.push(port);
    if (free.length === 0) {
      add('env ports', `all ${used.size} ports of ${config.portFirst}-${config.portLast} are in use`);
    } else if (!free.some((port) => subnets.has(port))) {
      add('env subnets', `${config.subnets} has no subnet left for the ports that are free`);
    }

    const memory = resources.freeMemoryBytes();
    const needed = spec.limits.memoryBytes;
    if (memory !== undefined && memory < needed) {
      add('memory', `its container may use ${mib(needed)}, and ${mib(memory)} are free`);
    }

    const disk = await resources.freeDiskBytes(config.basePath);
    const source = app.source.kind === 'files' ? app.source.files : [];
    const size = source.reduce((sum, file) => sum + file.content.length, 0) + config.minFreeDiskBytes;
    if (disk < size) add('disk', `${config.basePath} has ${mib(disk)} free, and ${mib(size)} are needed`);

    const request = app.metadata.database;
    const shortage = request && (await database?.shortage?.(request, signal ?? new AbortController().signal));
    if (shortage) shortages.push(shortage);
    return shortages;
  }
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
