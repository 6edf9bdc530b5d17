import type { SandboxSpec } from '../../../domain/sandbox/spec.js';
import { KIND_LABEL, OWNER_LABEL, SANDBOX_LABEL } from '../labels.js';
import type { ContainerCreateBody, MountBody } from '../worker/call-messages.js';
import { RUNNER_SOCKET_TMPFS } from './runner-socket-path.js';

/**
 * Short scheduling period: with Docker's default of 100 ms, a program that used up its share waits up to 50 ms for the
 * next one, which is more than most executions take.
 */
const CPU_PERIOD_US = 10_000;
/**
 * Docker's own list; `/dev/pts`, since terminals are counted for the whole host, so that one sandbox could take them from
 * everybody; and `/proc/locks` and `/proc/key-users`, which show what others on the host do.
 */
export const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/key-users',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/locks',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
  '/dev/pts',
];

/** Where the kernel looks first for something to kill when the host has no memory left. */
export const OOM_SCORE_ADJ = 500;
/** Descriptors of a process. */
export const OPEN_FILES = 1024;

/** The kernel takes no smaller quota; a smaller share gets a longer period. */
const LEAST_CPU_QUOTA_US = 1_000;

export function sandboxContainerName(sandboxId: string): string {
  return `berth-${sandboxId}`;
}

export interface SandboxContainerContext {
  sandboxId: string;
  owner: string;
  /** Content of the seccomp profile, JSON. */
  seccompProfile: string;
  /** Docker runtime; undefined: the default one. */
  runtime: string | undefined;
  /** A file on Docker's host to be `/etc/hosts`; undefined: Docker makes one itself, which takes it long. */
  hostsFile: string | undefined;
  /** Whether the daemon can reach a socket of the runner: it runs on the same host. */
  sameHost: boolean;
}

/** The hardened container that the runner expects; every limit comes from the spec. */
export function sandboxContainerBody(
  spec: SandboxSpec,
  context: SandboxContainerContext,
): ContainerCreateBody {
  const { limits } = spec;
  // exec on purpose: what a user builds or unpacks there must run. Docker's default would be noexec.
  const tmpfs = `rw,exec,nosuid,nodev,mode=1777,size=${limits.tmpfsBytes},nr_inodes=${limits.tmpfsInodes}`;
  return {
    // By digest: a tag that moves must not change what a pool runs.
    Image: spec.imageDigest,
    Entrypoint: ['/berth/runner'],
    Cmd: spec.languages,
    User: '0:0',
    WorkingDir: '/',
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    // Docker's health check would start a process in the sandbox every so often, which a reset takes for a left-over.
    Healthcheck: { Test: ['NONE'] },
    // The runtime then makes a network namespace with nothing but loopback. With mode `none` alone Docker makes the same by programs
    // of its own, which is a third of what the creation of a sandbox costs.
    NetworkDisabled: context.hostsFile !== undefined,
    Labels: { [OWNER_LABEL]: context.owner, [KIND_LABEL]: 'sandbox', [SANDBOX_LABEL]: context.sandboxId },
    HostConfig: {
      ...(context.runtime === undefined ? {} : { Runtime: context.runtime }),
      NetworkMode: spec.network,
      ...(context.hostsFile === undefined ? {} : { Mounts: [hostsMount(context.hostsFile)] }),
      ReadonlyRootfs: true,
      Tmpfs: {
        '/tmp': tmpfs,
        '/workspace': tmpfs,
        // gVisor's sockets are its own: the host does not see them.
        ...(context.sameHost && spec.isolation !== 'gvisor' ? RUNNER_SOCKET_TMPFS : {}),
      },
      ShmSize: limits.shmBytes,
      IpcMode: 'private',
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID', 'KILL'],
      SecurityOpt: ['no-new-privileges:true', `seccomp=${context.seccompProfile}`],
      MaskedPaths: MASKED_PATHS,
      PidsLimit: limits.processes,
      Memory: limits.memoryBytes,
      MemorySwap: limits.memoryBytes,
      ...cpu(limits.cpuMillis),
      OomScoreAdj: OOM_SCORE_ADJ,
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      ],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      Init: false,
    },
  };
}

/** Docker gives a container without a network no hosts file, and then nothing resolves `localhost`. */
function hostsMount(source: string): MountBody {
  return { Type: 'bind', Source: source, Target: '/etc/hosts', ReadOnly: true };
}

function cpu(cpuMillis: number): { CpuPeriod: number; CpuQuota: number } {
  const { period, quota } = cpuQuota(cpuMillis);
  return { CpuPeriod: period, CpuQuota: quota };
}

/** A share of thousandths of a core as the kernel takes it. Microseconds. */
export function cpuQuota(cpuMillis: number): { period: number; quota: number } {
  const period = Math.max(CPU_PERIOD_US, Math.ceil((LEAST_CPU_QUOTA_US * 1_000) / cpuMillis));
  return { period, quota: Math.ceil((period * cpuMillis) / 1_000) };
}
