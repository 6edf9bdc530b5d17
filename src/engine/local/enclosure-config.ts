import { statSync } from 'node:fs';
import path from 'node:path';
import type { SandboxSpec } from '../../domain/sandbox/spec.js';
import { MASKED_PATHS, OOM_SCORE_ADJ, OPEN_FILES } from '../docker/sandbox/container-config.js';
import type { Bind, FileTree } from './file-tree.js';

const RLIMIT = { data: 2, core: 4, processes: 6, openFiles: 7 } as const;
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
/** As Docker has them: kernel settings, some of which any uid may open for writing. */
const READ_ONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Descriptors of the enclosure's inner stage: the seccomp profile, then the cgroups to join. */
const SECCOMP_FD = 3;
/** Where the outer stage shows bubblewrap the sources, by their number. */
const STAGE = '/tmp';

/** What all sandboxes of a host have in common. */
export interface EnclosureHost {
  /** Path of bubblewrap. */
  bwrap: string;
  tree: FileTree;
  /** Compiled programs. */
  programs: { runner: string; enclosure: string };
  /** Directory of the launcher files. */
  launchers: string;
  /** Directory of the interpreter, when it is none of the standard ones. */
  pythonDirectory: string | undefined;
  /** Host uid of the runner. */
  runnerUid: number;
  /** Host uids of executions. */
  executionUids: { first: number; count: number };
}

/** Configuration of the enclosure's outer stage (`src/engine/local/enclosure/outer.go`). */
export interface OuterConfig {
  bwrap: string;
  runnerUid: number;
  firstUid: number;
  uidCount: number;
  sources: string[];
  arguments: string[];
  descriptors: number;
}

/** Configuration of the inner stage (`inner.go`). */
interface InnerConfig {
  tmpfs: { path: string; bytes: number; inodes: number }[];
  readOnly: string[];
  seccompFd: number;
  cgroupFds: number[];
  rlimits: { resource: number; value: number }[];
  oomScoreAdj: number;
  command: string[];
}

/**
 * A sandbox as Docker's are (`container-config.ts`), in bubblewrap's words. `cgroupMounts` are what the runner sees of its
 * cgroups; without any the limits of processes and memory are rlimits, each process's own.
 */
export function outerConfig(
  spec: SandboxSpec,
  host: EnclosureHost,
  cgroup: { mounts: Bind[]; descriptors: number },
  kindOf: (path: string) => FileKind | undefined = kindOnHost,
): OuterConfig {
  const { limits } = spec;
  const tmpfs = [
    { path: '/tmp', bytes: limits.tmpfsBytes, inodes: limits.tmpfsInodes },
    { path: '/workspace', bytes: limits.tmpfsBytes, inodes: limits.tmpfsInodes },
    { path: '/dev/shm', bytes: limits.shmBytes, inodes: limits.tmpfsInodes },
  ];
  const inner: InnerConfig = {
    tmpfs,
    readOnly: READ_ONLY_PATHS,
    seccompFd: SECCOMP_FD,
    cgroupFds: Array.from({ length: cgroup.descriptors }, (_, i) => SECCOMP_FD + 1 + i),
    rlimits: [
      { resource: RLIMIT.core, value: 0 },
      { resource: RLIMIT.openFiles, value: OPEN_FILES },
      ...(cgroup.descriptors > 0
        ? []
        : [
            { resource: RLIMIT.processes, value: limits.processes },
            { resource: RLIMIT.data, value: limits.memoryBytes },
          ]),
    ],
    oomScoreAdj: OOM_SCORE_ADJ,
    command: ['/berth/runner', ...spec.languages],
  };
  const binds = [
    ...host.tree.binds,
    { source: host.programs.runner, target: '/berth/runner' },
    { source: host.programs.enclosure, target: '/berth/enclosure' },
    { source: host.launchers, target: '/berth/launchers' },
    ...cgroup.mounts,
  ];
  return {
    bwrap: host.bwrap,
    runnerUid: host.runnerUid,
    firstUid: host.executionUids.first,
    uidCount: host.executionUids.count,
    sources: binds.map(({ source }) => source),
    arguments: [
      ...['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--hostname', 'sandbox'],
      // The runner reaps what its executions leave, so it has to be process 1.
      ...['--as-pid-1', '--die-with-parent', '--new-session', '--chdir', '/', '--clearenv'],
      ...Object.entries(environment(host.pythonDirectory)).flatMap(([name, value]) => [
        '--setenv',
        name,
        value,
      ]),
      ...host.tree.symlinks.flatMap(({ to, at }) => ['--symlink', to, at]),
      ...parents(binds).flatMap((directory) => ['--perms', '0755', '--dir', directory]),
      ...binds.flatMap(({ target }, number) => ['--ro-bind', path.join(STAGE, String(number)), target]),
      ...['--proc', '/proc', ...masks(kindOf)],
      ...['--tmpfs', '/dev', ...devices()],
      ...tmpfs.flatMap(({ path, bytes }) => ['--perms', '1777', '--size', String(bytes), '--tmpfs', path]),
      ...['--mqueue', '/dev/mqueue', '--remount-ro', '/dev', '--remount-ro', '/'],
      ...['--', '/berth/enclosure', 'inner', JSON.stringify(inner)],
    ],
    descriptors: 1 + cgroup.descriptors,
  };
}

/** What a program finds as its environment; the request's variables come on top. */
function environment(pythonDirectory: string | undefined): Record<string, string> {
  return {
    PATH: pythonDirectory === undefined ? STANDARD_PATH : `${pythonDirectory}:${STANDARD_PATH}`,
    LANG: 'C.UTF-8',
    HOME: '/root',
  };
}

/** No terminals: they are counted for the whole host, so that one sandbox could take them from everybody. */
function devices(): string[] {
  return [
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...['--symlink', '/proc/self/fd', '/dev/fd'],
    ...['stdin', 'stdout', 'stderr'].flatMap((name, fd) => [
      '--symlink',
      `/proc/self/fd/${fd}`,
      `/dev/${name}`,
    ]),
  ];
}

type FileKind = 'file' | 'directory';

/** Only /proc is there to be masked: /sys and /dev have nothing but what is listed here. */
function masks(kindOf: (path: string) => FileKind | undefined): string[] {
  return MASKED_PATHS.filter((masked) => masked.startsWith('/proc/')).flatMap((masked) => {
    switch (kindOf(masked)) {
      case 'directory':
        return ['--perms', '0555', '--tmpfs', masked, '--remount-ro', masked];
      case 'file':
        return ['--ro-bind', '/dev/null', masked];
      case undefined:
        return [];
    }
  });
}

function kindOnHost(file: string): FileKind | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : found.isDirectory() ? 'directory' : 'file';
}

/** The directories on the way to the targets, outermost first; bubblewrap would make them for itself alone. */
function parents(binds: readonly Bind[]): string[] {
  const found = new Set<string>();
  for (const { target } of binds) {
    for (let at = path.dirname(target); at !== '/'; at = path.dirname(at)) found.add(at);
  }
  return [...found].sort();
}
