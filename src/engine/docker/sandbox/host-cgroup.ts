import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { PeakMemoryMeter } from '../../../domain/sandbox/engine.js';
import { CpuQuota } from './cpu-quota.js';

const READ_BYTES = 64;

/** What the host's cgroup files tell about one container. Synchronous on purpose: some 25 µs, against 20 ms of Docker's `top`. */
export interface HostCgroup {
  peakMemory: PeakMemoryMeter | undefined;
  /**
   * Lets the container use the CPU time that it left unused before, up to one more period's quota at once; its share over
   * time stays the same. Without it the short work between two executions is cut by the quota. False where the kernel
   * has no burst (before Linux 5.14) or does not let this user set it.
   */
  allowCpuBurst(): boolean;
  /** Lets the container warm up with whatever CPU is free. False where that cannot be set, and the quota goes on to hold. */
  liftCpuQuota(): boolean;
  /** Has the quota hold again, if it was lifted. @throws Error when the kernel does not take it */
  restoreCpuQuota(): void;
  /** 0 when the container is gone. */
  countProcesses(): number;
  close(): void;
}

export interface HostFiles {
  /** `/proc` */
  proc: string;
  /** `/sys/fs/cgroup` */
  cgroup: string;
}

/**
 * Finds the cgroup of a container by the host pid of its init process. Undefined where the daemon is on another host, or
 * the files are not what they should be: the path must carry the container's id, so that a pid of another host, or one
 * used again, is never taken for it.
 */
export function openHostCgroup(
  containerId: string,
  pid: number,
  host: HostFiles = { proc: '/proc', cgroup: '/sys/fs/cgroup' },
): HostCgroup | undefined {
  try {
    const paths = parseCgroupFile(readFileSync(path.join(host.proc, String(pid), 'cgroup'), 'utf8'));
    const memory = paths.get('memory');
    const cpu = paths.get('cpu');
    const unified = paths.get('');
    if (memory?.includes(containerId)) {
      const cpuDirectory = cpu?.includes(containerId) ? path.join(host.cgroup, 'cpu', cpu) : undefined;
      return openCgroupV1(path.join(host.cgroup, 'memory', memory), cpuDirectory);
    }
    if (unified?.includes(containerId)) return openCgroupV2(path.join(host.cgroup, unified));
  } catch {
    // Gone already, another host, or a layout of its own: the runner's figures are used instead.
  }
  return undefined;
}

/** `/proc/PID/cgroup`: a line is `id:controller,controller:path`; the unified hierarchy has no controllers. */
export function parseCgroupFile(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    if (controllers === undefined) continue;
    for (const controller of controllers.split(',')) paths.set(controller, rest.join(':'));
  }
  return paths;
}

/** A cgroup whose directories are known; undefined when it is not there. Without `cpu` its quota cannot be stretched. */
export function openCgroupV1(memory: string, cpu: string | undefined): HostCgroup | undefined {
  return openDirectory(
    memory,
    'memory.max_usage_in_bytes',
    cpu === undefined ? undefined : CpuQuota.ofV1(cpu),
  );
}

export function openCgroupV2(directory: string): HostCgroup | undefined {
  return openDirectory(directory, 'memory.peak', CpuQuota.ofV2(directory));
}

function openDirectory(
  directory: string,
  peakFile: string,
  cpu: CpuQuota | undefined,
): HostCgroup | undefined {
  const processesFile = path.join(directory, 'cgroup.procs');
  if (!existsSync(processesFile)) return undefined;
  const peak = openPeakMeter(path.join(directory, peakFile));
  return {
    peakMemory: peak,
    allowCpuBurst: () => cpu?.allowBurst() ?? false,
    liftCpuQuota: () => cpu?.lift() ?? false,
    restoreCpuQuota: () => cpu?.restore(),
    // cgroup.procs and not pids.current, which counts threads. Opened anew each time: v1 serves a list that is up to a
    // second old to a file that stays open.
    countProcesses: () => countLines(processesFile),
    close: () => peak?.close(),
  };
}

function countLines(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return 0;
  }
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

/**
 * Both files are reset by a write: v1 for everybody, v2 (kernel 6.12 and later) for the descriptor that wrote. An older
 * v2 refuses the write, and then there is no meter, since a peak of all executions together says nothing of one.
 */
function openPeakMeter(file: string): (PeakMemoryMeter & { close(): void }) | undefined {
  let fd: number | undefined;
  try {
    // A file without any write permission is the kernel's way to say that it cannot be reset.
    if ((statSync(file).mode & 0o222) === 0) return undefined;
    fd = openSync(file, 'r+');
    return new PeakMeter(fd);
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }
}

class PeakMeter implements PeakMemoryMeter {
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #open = true;

  constructor(private readonly fd: number) {
    writeSync(fd, '0', 0);
  }

  reset(): void {
    this.#attempt(() => writeSync(this.fd, '0', 0));
  }

  /** Bytes; 0 when the container is gone, which no living one reports. */
  read(): number {
    return this.#attempt(() => {
      const length = readSync(this.fd, this.#buffer, 0, READ_BYTES, 0);
      return Number.parseInt(this.#buffer.toString('latin1', 0, length), 10);
    });
  }

  close(): void {
    if (this.#open) closeSync(this.fd);
    this.#open = false;
  }

  /** The cgroup goes with its container, at any instant: its files then answer ENODEV. */
  #attempt(step: () => number): number {
    if (!this.#open) return 0;
    try {
      return step();
    } catch {
      return 0;
    }
  }
}
