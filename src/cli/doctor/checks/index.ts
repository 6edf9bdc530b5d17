import type { Check } from '../check.js';
import { cgroups } from './cgroup.js';
import { configuration } from './configuration.js';
import { daemon } from './daemon.js';
import { dockerDisk, stateDisk } from './disk.js';
import { dockerEngine } from './docker.js';
import { sandboxImage } from './images.js';
import { gvisor, localEngine, ociRuntime } from './isolation.js';
import { memory } from './memory.js';
import { envPorts } from './ports.js';
import { envSubnets } from './subnets.js';
import { nodeVersion, operatingSystem } from './system.js';

/** In the order in which somebody would mend things. */
export const CHECKS: readonly Check[] = [
  operatingSystem,
  nodeVersion,
  configuration,
  dockerEngine,
  memory,
  dockerDisk,
  stateDisk,
  cgroups,
  envPorts,
  envSubnets,
  ociRuntime,
  gvisor,
  localEngine,
  sandboxImage,
  daemon,
];
