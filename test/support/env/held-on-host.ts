import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from '../daemon.js';
import { docker } from '../docker-cli.js';

/** What the envs of a daemon hold on the host. */
export interface HeldOnHost {
  /** Ids of containers, networks and volumes. */
  docker: string[];
  /** Names below the folder of env directories. */
  directories: string[];
}

/** For tests whose envs must leave nothing; pools and the shared database are not counted. */
export async function heldByEnvs({
  owner,
  stateDir,
}: Pick<TestDaemon, 'owner' | 'stateDir'>): Promise<HeldOnHost> {
  const filter = ['--filter', `label=dev.berth.owner=${owner}`, '--filter', 'label=dev.berth.kind=env'];
  const lists = await Promise.all([
    docker('ps', '-aq', ...filter),
    docker('network', 'ls', '-q', ...filter),
    docker('volume', 'ls', '-q', ...filter),
  ]);
  const base = join(stateDir, 'envs');
  return {
    docker: lists.flatMap((list) => list.split('\n')).filter((id) => id !== ''),
    directories: existsSync(base) ? await readdir(base) : [],
  };
}
