// A host with version 1 of the control groups may have version 2 mounted beside it, at /sys/fs/cgroup/unified. A controller
// that no hierarchy of version 1 has taken (often hugetlb or misc alone) then belongs to version 2. runc does not mind;
// crun takes the host for a mixture and refuses every container ("cgroups in hybrid mode not supported, drop all controllers
// from cgroupv2"). Mounting such a controller as a hierarchy of its own, as is done with all the others, leaves version 2
// without controllers. Docker and its containers take no notice, and nothing needs a restart.
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './host.mjs';
import { must } from './processes.mjs';

const ROOT = '/sys/fs/cgroup';
/** The one that version 1 calls by another name. */
const BLOCK_DEVICES = { v1: 'blkio', v2: 'io' };

/**
 * The controllers that version 2 has beside hierarchies of version 1.
 *
 * @param {string} root where control groups are mounted
 * @returns {string[]} as version 1 calls them; none on a host with one version only
 */
export function leftControllers(root = ROOT) {
  // With version 2 alone this is its root.
  if (existsSync(join(root, 'cgroup.controllers'))) return [];
  try {
    const text = readFileSync(join(root, 'unified/cgroup.controllers'), 'utf8');
    const names = text.split(/\s+/).filter(Boolean);
    return names.map((name) => (name === BLOCK_DEVICES.v2 ? BLOCK_DEVICES.v1 : name));
  } catch {
    return [];
  }
}

/**
 * Mounts each of them as a hierarchy of version 1. Needs root.
 *
 * @returns {Promise<string[]>} those that were mounted
 * @throws SetupError
 */
export async function mountLeftControllers() {
  const controllers = leftControllers();
  for (const controller of controllers) {
    const directory = join(ROOT, controller);
    try {
      mkdirSync(directory, { recursive: true });
    } catch (error) {
      throw new SetupError(
        `crun needs the controller ${controller} in a hierarchy of version 1 at ${directory}, which cannot be made (${error.code}).`,
      );
    }
    try {
      await must(['mount', '-t', 'cgroup', '-o', controller, 'cgroup', directory], {
        todo: `crun needs the controller ${controller} in a hierarchy of version 1, and something uses it in version 2.`,
      });
    } catch (error) {
      rmdirSync(directory);
      throw error;
    }
  }
  return controllers;
}
