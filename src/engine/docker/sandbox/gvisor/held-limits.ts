import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SandboxLimits } from '../../../../domain/sandbox/spec.js';
import { parseCgroupFile, type HostFiles } from '../host-cgroup.js';

/** A share that is rounded up to a whole microsecond of a short period may be this much larger than asked for. */
const ROUNDING = 1.01;

/**
 * Whether the kernel holds a container's limits. Under gVisor this is looked at and not believed: `runsc` with
 * `--ignore-cgroups` takes every limit from Docker and holds none. The main process is enough to look at: what it starts
 * is born in its cgroups.
 *
 * @param pid of the container's main process on this host
 * @returns undefined when they hold, else why they cannot be relied on
 */
export function whyLimitsDoNotHold(
  containerId: string,
  pid: number,
  limits: SandboxLimits,
  host: HostFiles = { proc: '/proc', cgroup: '/sys/fs/cgroup' },
): string | undefined {
  let paths: Map<string, string>;
  try {
    paths = parseCgroupFile(readFileSync(path.join(host.proc, String(pid), 'cgroup'), 'utf8'));
  } catch {
    return `its process ${pid} is not to be seen on this host`;
  }
  const read = (controller: string, file: string): string | undefined => {
    const own = paths.get(controller);
    // v1 has a hierarchy for each controller, v2 one for all.
    const [directory, name] = own === undefined ? [paths.get(''), ''] : [own, controller];
    // The id names the container: anything else is a cgroup that it shares.
    if (directory?.includes(containerId) !== true) return undefined;
    try {
      return readFileSync(path.join(host.cgroup, name, directory, file), 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const number = (controller: string, file: string): number => Number(read(controller, file) ?? Number.NaN);

  const memory = paths.has('memory') ? number('memory', 'memory.limit_in_bytes') : number('', 'memory.max');
  if (!(memory <= limits.memoryBytes)) return noLimit('memory');

  const [quota, period] = paths.has('cpu')
    ? [number('cpu', 'cpu.cfs_quota_us'), number('cpu', 'cpu.cfs_period_us')]
    : (read('', 'cpu.max') ?? '').split(' ').map(Number);
  const share = (quota ?? Number.NaN) / (period ?? Number.NaN);
  if (!(share > 0 && share * 1_000 <= limits.cpuMillis * ROUNDING)) return noLimit('CPU');

  // How many of the host's threads a process of the container needs is the runtime's to say; that there is a limit is not.
  if (!Number.isFinite(number(paths.has('pids') ? 'pids' : '', 'pids.max'))) return noLimit('processes');
  return undefined;
}

function noLimit(what: string): string {
  return `no cgroup of its own limits its ${what}`;
}
