import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLimits } from '../../domain/sandbox/spec.js';
import { cpuQuota } from '../docker/sandbox/container-config.js';
import { openCgroupV1, openCgroupV2, type HostCgroup } from '../docker/sandbox/host-cgroup.js';
import type { Bind } from './file-tree.js';
import { kill } from './process-tree.js';

const V2_CONTROLLERS = ['cpu', 'memory', 'pids'];
const V1_CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct'];
const FILE_SYSTEM = '/sys/fs/cgroup';
const REMOVE_TIMEOUT_MS = 10_000;
const REMOVE_POLL_MS = 5;
const NO_SUCH_CGROUP = new Set(['ENOENT', 'ENODEV']);

/** A value for each file of a cgroup, by hierarchy; written in this order. */
type Settings = [hierarchy: string, file: string, value: string][];

/**
 * The cgroups of one daemon's local sandboxes: `{parent}/{owner}/{sandboxId}` in each hierarchy. The names are what
 * finds the sandboxes of an earlier life.
 */
export class CgroupTree {
  private constructor(
    readonly version: 'v1' | 'v2',
    /** Directories that sandboxes' cgroups are made in: one (v2), or one for each controller (v1). */
    private readonly bases: ReadonlyMap<string, string>,
  ) {}

  /** Makes the daemon's own cgroups. @throws Error that says why no limits can be held here */
  static async open(parent: string, owner: string, root = FILE_SYSTEM): Promise<CgroupTree> {
    const below = path.join(parent, encodeURIComponent(owner));
    if (existsSync(path.join(root, 'cgroup.controllers'))) {
      await enableControllers(root, below);
      return new CgroupTree('v2', new Map([['', path.join(root, below)]]));
    }
    const bases = new Map(V1_CONTROLLERS.map((name) => [name, path.join(root, name, below)]));
    for (const [name, base] of bases) {
      if (!existsSync(path.join(root, name)))
        throw new Error(`the cgroup controller ${name} is not mounted at ${root}`);
      await mkdir(base, { recursive: true }).catch((error: Error) => {
        throw new Error(`a cgroup for sandboxes cannot be made: ${error.message}`);
      });
    }
    return new CgroupTree('v1', bases);
  }

  /** Makes the cgroups of a sandbox with its limits. On failure nothing is left. */
  async create(sandboxId: string, limits: SandboxLimits): Promise<SandboxCgroup> {
    const directories = this.#directories(sandboxId);
    try {
      for (const directory of directories.values()) await mkdir(directory, { recursive: true });
      for (const [hierarchy, file, value] of this.#settings(limits)) {
        const directory = directories.get(hierarchy)!;
        if (file.startsWith('memory.') && !existsSync(path.join(directory, file))) continue; // no account of swap
        await writeFile(path.join(directory, file), value);
      }
      return new SandboxCgroup(this.version, directories);
    } catch (error) {
      await this.remove(sandboxId);
      throw error;
    }
  }

  /** Ids of the sandboxes that have cgroups here. */
  async list(): Promise<string[]> {
    const ids = new Set<string>();
    for (const base of this.bases.values()) {
      for (const entry of await readdir(base, { withFileTypes: true }))
        if (entry.isDirectory()) ids.add(entry.name);
    }
    return [...ids];
  }

  /** Kills what is in the cgroups of a sandbox and removes them. @throws Error when they stay */
  async remove(sandboxId: string): Promise<void> {
    await removeDirectories([...this.#directories(sandboxId).values()]);
  }

  /** Removes the daemon's own cgroups, and their parent unless another daemon's are in it. */
  async close(): Promise<void> {
    for (const base of this.bases.values()) {
      await rmdir(base).catch(() => undefined);
      await rmdir(path.dirname(base)).catch(() => undefined);
    }
  }

  #directories(sandboxId: string): Map<string, string> {
    return new Map([...this.bases].map(([hierarchy, base]) => [hierarchy, path.join(base, sandboxId)]));
  }

  #settings(limits: SandboxLimits): Settings {
    const memory = String(limits.memoryBytes);
    const processes = String(limits.processes);
    const { period, quota } = cpuQuota(limits.cpuMillis);
    if (this.version === 'v2') {
      return [
        ['', 'memory.max', memory],
        ['', 'memory.swap.max', '0'],
        ['', 'pids.max', processes],
        ['', 'cpu.max', `${quota} ${period}`],
      ];
    }
    return [
      ['memory', 'memory.limit_in_bytes', memory],
      ['memory', 'memory.memsw.limit_in_bytes', memory],
      ['pids', 'pids.max', processes],
      ['cpu', 'cpu.cfs_period_us', String(period)],
      ['cpu', 'cpu.cfs_quota_us', String(quota)],
    ];
  }
}

/** The cgroups of one sandbox. */
export class SandboxCgroup {
  readonly #memory: string;
  readonly #host: HostCgroup | undefined;

  constructor(
    private readonly version: 'v1' | 'v2',
    private readonly directories: ReadonlyMap<string, string>,
  ) {
    this.#memory = directories.get(version === 'v2' ? '' : 'memory')!;
    this.#host =
      version === 'v2' ? openCgroupV2(this.#memory) : openCgroupV1(this.#memory, directories.get('cpu'));
    this.#host?.allowCpuBurst();
  }

  get peakMemory(): HostCgroup['peakMemory'] {
    return this.#host?.peakMemory;
  }

  countProcesses(): number {
    return this.#host?.countProcesses() ?? 0;
  }

  /** Opened here, where they may be written, for a process that joins by writing `0`. The caller closes them. */
  openProcsFiles(): number[] {
    return [...this.directories.values()].map((directory) =>
      openSync(path.join(directory, 'cgroup.procs'), 'w'),
    );
  }

  /** Where the runner looks for its counters. */
  mounts(): Bind[] {
    if (this.version === 'v2') return [{ source: this.#memory, target: FILE_SYSTEM }];
    return ['memory', 'cpuacct'].map((name) => ({
      source: this.directories.get(name)!,
      target: path.join(FILE_SYSTEM, name),
    }));
  }

  /** Whether the memory limit has killed anything in it. */
  get oomKilled(): boolean {
    const file = path.join(this.#memory, this.version === 'v2' ? 'memory.events' : 'memory.oom_control');
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1'))?.[1] ?? 0) > 0;
    } catch {
      return false; // gone
    }
  }

  /** Kills what is left in it and removes it. @throws Error when it stays */
  async remove(): Promise<void> {
    this.#host?.close();
    await removeDirectories([...this.directories.values()]);
  }
}

/** Every group on the way hands the controllers on to its children. */
async function enableControllers(root: string, below: string): Promise<void> {
  let directory = root;
  for (const part of ['', ...below.split('/').filter((name) => name !== '')]) {
    directory = path.join(directory, part);
    try {
      await mkdir(directory, { recursive: true });
      await writeFile(
        path.join(directory, 'cgroup.subtree_control'),
        V2_CONTROLLERS.map((name) => `+${name}`).join(' '),
      );
    } catch (error) {
      throw new Error(
        `the cgroup controllers ${V2_CONTROLLERS.join(', ')} cannot be enabled in ${directory}: ${(error as Error).message}`,
      );
    }
  }
}

async function removeDirectories(directories: string[]): Promise<void> {
  const deadline = performance.now() + REMOVE_TIMEOUT_MS;
  for (const directory of directories) {
    for (;;) {
      killAll(directory);
      try {
        await rmdir(directory);
        break;
      } catch (error) {
        if (NO_SUCH_CGROUP.has((error as NodeJS.ErrnoException).code ?? '')) break;
        if (performance.now() > deadline)
          throw new Error(`${directory} cannot be removed: ${(error as Error).message}`);
      }
      await sleep(REMOVE_POLL_MS);
    }
  }
}

function killAll(directory: string): void {
  try {
    // From kernel 5.14 on v2 kills without anything being able to fork away.
    writeFileSync(path.join(directory, 'cgroup.kill'), '1', { flag: 'r+' });
    return;
  } catch {
    // v1, an older kernel, or gone
  }
  try {
    for (const pid of readFileSync(path.join(directory, 'cgroup.procs'), 'latin1').split('\n'))
      kill(Number(pid));
  } catch {
    // gone
  }
}
