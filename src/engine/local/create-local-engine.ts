import { createHash } from 'node:crypto';
import { access, constants, readFile, readdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { messageOf } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { RunnerSession } from '../../domain/sandbox/runner-session.js';
import type { SandboxSpec } from '../../domain/sandbox/spec.js';
import type { Logger } from '../../telemetry/logger.js';
import { localPrograms, type LocalPrograms } from '../docker/images/local-programs.js';
import { CgroupTree } from './cgroup-tree.js';
import { LocalSandboxEngine, type LocalHost } from './engine.js';
import { canBeSeen, hostTree, rootfsTree, type FileTree } from './file-tree.js';
import { findPython } from './host-python.js';

export interface LocalEngineOptions {
  /** Names the cgroups of this daemon's sandboxes. */
  owner: string;
  /** The checkout or installed package: sources of the programs, templates. */
  root: string;
  /** Where compiled programs are kept. */
  cacheDir: string;
  /** File of the sandboxes' seccomp profile. */
  seccompProfilePath: string;
  /** Images that the host's interpreter stands in for. */
  images: readonly string[];
  /** Host uids of executions. */
  executionUids: { first: number; count: number };
  config: LocalConfig;
  logger: Logger;
}

/** The `local` part of the configuration. */
export interface LocalConfig {
  mode: 'on' | 'off';
  /** Name or path of bubblewrap. */
  bwrap: string;
  /** Path of the interpreter; empty: the distribution's. */
  python: string;
  /** An unpacked root file system in place of the host's directories; empty: none. */
  rootfs: string;
  /** Further paths that sandboxes may read, separated by commas. */
  expose: string;
  /** Host uid of the runner. */
  runnerUid: number;
  /** Cgroup that the daemon's are made in. */
  cgroupParent: string;
  unenforcedLimits: 'refuse' | 'allow';
}

export interface LocalEngine {
  readonly sandboxes: LocalSandboxEngine;
  /** Why this host cannot isolate and what to do; empty when it can. Not final before `settled`. */
  readonly problem: string;
  /** Version of each language that it has (`3.11.2`), once settled. */
  readonly languageVersions: ReadonlyMap<string, string>;
  /** Resolves when the host has been tried; never rejects. */
  readonly settled: Promise<void>;
  /** Removes all sandboxes. */
  close(): Promise<void>;
}

const PATH = ['/usr/local/bin', '/usr/bin', '/bin'];
const TRIAL_TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;
const TRIAL_LIMITS = {
  memoryBytes: 256 * MIB,
  cpuMillis: 1_000,
  processes: 32,
  tmpfsBytes: MIB,
  tmpfsInodes: 64,
  shmBytes: MIB,
};

/**
 * Resolves at once: whether this host can isolate is found out by isolating something, behind the start of the daemon, since
 * it may take as long as a compiler does.
 */
export async function createLocalEngine(options: LocalEngineOptions): Promise<LocalEngine> {
  const { config, logger, seccompProfilePath, images } = options;
  const sandboxes = new LocalSandboxEngine({ seccompProfilePath, images, logger });
  const languageVersions = new Map<string, string>();
  const closing = new AbortController();
  const settle = async (): Promise<void> => {
    let cgroups: CgroupTree | undefined;
    try {
      if (config.mode === 'off') throw new Error('they are turned off (local.mode)');
      await requireRoot();
      cgroups = await openCgroups(options);
      await removeLeftovers(cgroups, logger);
      const host = await lookAtHost(options, cgroups, closing.signal);
      languageVersions.set('python', await tryHost(sandboxes, host, closing.signal));
      sandboxes.open(host);
      logger.info(
        {
          event: 'local_engine_ready',
          limitsEnforced: host.cgroups !== undefined,
          python: languageVersions.get('python'),
        },
        'local sandboxes can be made when Docker is away',
      );
    } catch (error) {
      sandboxes.problem = messageOf(error);
      await cgroups?.close();
      logger.info(
        { event: 'local_engine_refused', reason: sandboxes.problem },
        'no local sandboxes on this host',
      );
    }
  };
  const settled = settle();
  return {
    sandboxes,
    get problem() {
      return sandboxes.problem;
    },
    languageVersions,
    settled,
    async close() {
      closing.abort();
      await settled;
      await sandboxes.close();
    },
  };
}

/** Everything that a sandbox needs. @throws Error that says what is missing and what to do */
async function lookAtHost(
  options: LocalEngineOptions,
  cgroups: CgroupTree | undefined,
  signal: AbortSignal,
): Promise<LocalHost> {
  const { config, root, executionUids } = options;
  const { first, count } = executionUids;
  if (config.runnerUid >= first && config.runnerUid < first + count)
    throw new Error(`local.runnerUid ${config.runnerUid} is one of the uids of executions; give it another`);
  const bwrap = await findBwrap(config.bwrap);
  const python = await findPython(config.python, config.rootfs);
  const tree = await sandboxTree(options);
  tree.binds.push(...python.binds);
  const programs = await localPrograms({ root, cacheDir: options.cacheDir, signal });
  const launchers = join(root, 'src/runner/launchers');
  return {
    cgroups,
    digest: await digestOf(programs, launchers, [python.fingerprint, JSON.stringify(tree)]),
    enclosure: {
      bwrap,
      tree,
      programs,
      launchers,
      pythonDirectory: python.directory,
      runnerUid: config.runnerUid,
      executionUids,
    },
  };
}

/** Nothing of this life is there yet: whatever has a cgroup is of a daemon that was killed. */
async function removeLeftovers(cgroups: CgroupTree | undefined, logger: Logger): Promise<void> {
  const left = (await cgroups?.list()) ?? [];
  for (const sandboxId of left) await cgroups?.remove(sandboxId);
  if (left.length > 0)
    logger.info(
      { event: 'stray_sandboxes_removed', sandboxes: left },
      'removed local sandboxes of an earlier life',
    );
}

async function requireRoot(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      `berthd runs as uid ${process.getuid?.()}; giving each execution a uid of its own needs root, and code that shares a uid with its runner is not isolated`,
    );
  }
  const SYS_ADMIN = 21n;
  const effective =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'latin1'))?.[1] ?? '0';
  if (((BigInt(`0x${effective}`) >> SYS_ADMIN) & 1n) === 0n)
    throw new Error(
      'berthd is root without CAP_SYS_ADMIN, which namespaces need (a container that is not privileged?)',
    );
}

async function findBwrap(name: string): Promise<string> {
  const candidates = name.includes('/') ? [name] : PATH.map((directory) => join(directory, name));
  for (const candidate of candidates) {
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  throw new Error(
    name.includes('/')
      ? `local.bwrap: ${name} is no program`
      : `${name} is not in ${PATH.join(delimiter)}; install it: apt-get install bubblewrap`,
  );
}

async function sandboxTree({ config, root }: LocalEngineOptions): Promise<FileTree> {
  const tree =
    config.rootfs === ''
      ? await hostTree(join(root, 'templates/local/etc'))
      : await rootfsTree(config.rootfs);
  for (const exposed of config.expose.split(',').map((path) => path.trim())) {
    if (exposed === '') continue;
    if (!isAbsolute(exposed) || !canBeSeen(exposed))
      throw new Error(
        `local.expose: ${exposed} cannot be shown; it must be absolute, and not where sandboxes have files of their own`,
      );
    tree.binds.push({ source: exposed, target: exposed });
  }
  return tree;
}

async function openCgroups({ config, owner }: LocalEngineOptions): Promise<CgroupTree | undefined> {
  try {
    return await CgroupTree.open(config.cgroupParent, owner);
  } catch (error) {
    if (config.unenforcedLimits === 'allow') return undefined;
    throw new Error(
      `memory, CPU and processes cannot be limited: ${messageOf(error)}; let berthd write its cgroups (local.cgroupParent), or accept that with local.unenforcedLimits=allow`,
    );
  }
}

async function digestOf(programs: LocalPrograms, launchers: string, parts: string[]): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(launchers, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => join(launchers, name));
  for (const file of [programs.runner, ...files.sort()]) hash.update(await readFile(file));
  hash.update(JSON.stringify(parts));
  return `sha256:${hash.digest('hex')}`;
}

/** Makes a sandbox and waits for its interpreter. Gives the interpreter's version. @throws Error when that fails */
async function tryHost(sandboxes: LocalSandboxEngine, host: LocalHost, signal: AbortSignal): Promise<string> {
  const spec: SandboxSpec = {
    image: '',
    imageDigest: host.digest,
    languages: ['python'],
    limits: TRIAL_LIMITS,
    network: 'none',
    isolation: 'reuse',
  };
  const sandbox = await sandboxes.try(host, newId('sbx'), spec);
  try {
    const session = new RunnerSession(sandbox.channel);
    const patience = AbortSignal.any([signal, AbortSignal.timeout(TRIAL_TIMEOUT_MS)]);
    const { languages } = await session.ready(spec.languages, patience);
    return languages['python']?.version ?? '';
  } catch (error) {
    throw new Error(`a sandbox could not be made: ${messageOf(error)}${hint(messageOf(error))}`);
  } finally {
    await sandbox.destroy();
  }
}

/** What to do about the ways in which hosts keep namespaces from being made. */
function hint(message: string): string {
  if (/namespace.*(not permitted|No space|no space)/.test(message))
    return ' (see /proc/sys/user/max_user_namespaces, and kernel.apparmor_restrict_unprivileged_userns where AppArmor is used)';
  if (/proc/.test(message) && /Operation not permitted|Permission denied/.test(message))
    return ' (in a container whose /proc is masked, no other /proc can be mounted)';
  return '';
}
