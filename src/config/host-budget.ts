import { cpus, totalmem } from 'node:os';
import type { Promised } from '../domain/pool/host-budget.js';
import type { Config } from './schema.js';

/** The rest is for the system, Docker, envs and berthd itself. */
const SHARE_OF_MEMORY = 0.8;
/**
 * CPU may be promised many times over: a sandbox is idle most of its life, and unlike memory CPU that is short is shared, and
 * nobody dies of it.
 */
const CPU_OVERCOMMIT = 16;

/** What is configured, else what this host can bear. */
export function hostBudget(budget: Config['budget']): Promised {
  const { memoryBytes, cpuMillis } = budget;
  return {
    memoryBytes: memoryBytes === -1 ? Math.floor(totalmem() * SHARE_OF_MEMORY) : memoryBytes,
    cpuMillis: cpuMillis === -1 ? cpus().length * 1_000 * CPU_OVERCOMMIT : cpuMillis,
  };
}
