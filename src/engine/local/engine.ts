import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { BerthError, messageOf } from '../../domain/errors.js';
import type { SandboxEngine, SandboxInstance } from '../../domain/sandbox/engine.js';
import type { SandboxSpec } from '../../domain/sandbox/spec.js';
import type { Logger } from '../../telemetry/logger.js';
import type { CgroupTree, SandboxCgroup } from './cgroup-tree.js';
import { outerConfig, type EnclosureHost } from './enclosure-config.js';
import { LocalSandbox } from './instance.js';
import { LocalRunnerChannel, type PipedProcess } from './runner-channel.js';

export interface LocalSandboxEngineOptions {
  /** File of the seccomp profile, the same as for Docker. */
  seccompProfilePath: string;
  /** Images that the interpreter of this host stands in for. */
  images: readonly string[];
  logger: Logger;
}

/** What this host was found to have. */
export interface LocalHost {
  enclosure: EnclosureHost;
  /** Undefined where limits cannot be held and the configuration allows that. */
  cgroups: CgroupTree | undefined;
  /** Changes with the interpreter and the runner: what an image's digest is elsewhere. */
  digest: string;
}

/**
 * Sandboxes as processes of this host: bubblewrap, namespaces, cgroups, the seccomp profile and the runner of the Docker
 * engine, without Docker. Until `host` is set it refuses with `problem`.
 */
export class LocalSandboxEngine implements SandboxEngine {
  readonly name = 'local';
  /** Why there are no sandboxes here; empty when there are. */
  problem = 'berthd still finds out whether this host can isolate local sandboxes; try again in a moment';
  #host: LocalHost | undefined;
  readonly #live = new Map<string, LocalSandbox>();

  constructor(private readonly options: LocalSandboxEngineOptions) {}

  /** @throws BerthError IMAGE_NOT_FOUND | ISOLATION_UNAVAILABLE */
  async resolveImage(image: string): Promise<string> {
    if (!this.options.images.includes(image)) {
      throw new BerthError(
        'IMAGE_NOT_FOUND',
        `the local engine has no images, only what stands in for ${this.options.images.join(', ')}; ${image} needs Docker`,
      );
    }
    return this.#ready().digest;
  }

  /** @throws BerthError SANDBOX_CREATE_FAILED | ISOLATION_UNAVAILABLE | CANCELLED */
  async create(sandboxId: string, spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxInstance> {
    if (spec.isolation === 'gvisor')
      throw new BerthError(
        'ISOLATION_UNAVAILABLE',
        'isolation gvisor needs Docker; the local engine has none',
      );
    return this.#create(this.#ready(), sandboxId, spec, signal);
  }

  /** Those of a daemon that was killed: their processes ended with it unless the kernel was told otherwise; their cgroups stay. */
  async removeStrays(isKnown: (sandboxId: string) => boolean): Promise<string[]> {
    const cgroups = this.#host?.cgroups;
    if (cgroups === undefined) return [];
    const strays = (await cgroups.list()).filter((id) => !isKnown(id) && !this.#live.has(id));
    await Promise.all(strays.map((id) => cgroups.remove(id)));
    return strays;
  }

  /** Opens for use, once `try` has succeeded with the host. */
  open(host: LocalHost): void {
    this.#host = host;
    this.problem = '';
  }

  /** Makes one sandbox of a host that may turn out not to be able to. */
  try(host: LocalHost, sandboxId: string, spec: SandboxSpec): Promise<SandboxInstance> {
    return this.#create(host, sandboxId, spec, undefined);
  }

  /** Removes what is left. */
  async close(): Promise<void> {
    this.problem = 'berthd is stopping';
    await Promise.allSettled([...this.#live.values()].map((sandbox) => sandbox.destroy()));
    await this.#host?.cgroups?.close();
  }

  #ready(): LocalHost {
    if (this.#host !== undefined && this.problem === '') return this.#host;
    throw new BerthError('ISOLATION_UNAVAILABLE', `no local sandboxes: ${this.problem}`);
  }

  async #create(
    { enclosure, cgroups }: LocalHost,
    sandboxId: string,
    spec: SandboxSpec,
    signal: AbortSignal | undefined,
  ): Promise<SandboxInstance> {
    let cgroup: SandboxCgroup | undefined;
    let sandbox: LocalSandbox | undefined;
    try {
      cgroup = await cgroups?.create(sandboxId, spec.limits);
      if (signal?.aborted) throw new BerthError('CANCELLED', `creating sandbox ${sandboxId} was cancelled`);
      sandbox = this.#start(enclosure, sandboxId, spec, cgroup);
      return sandbox;
    } catch (error) {
      await cgroup
        ?.remove()
        .catch((cause: unknown) =>
          this.options.logger.warn(
            { sandbox: sandboxId, err: cause },
            'cgroups of a sandbox that failed to start stay',
          ),
        );
      if (error instanceof BerthError) throw error;
      throw new BerthError('SANDBOX_CREATE_FAILED', `creating sandbox ${sandboxId}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #start(
    enclosure: EnclosureHost,
    sandboxId: string,
    spec: SandboxSpec,
    cgroup: SandboxCgroup | undefined,
  ): LocalSandbox {
    const inherited: number[] = [];
    try {
      inherited.push(openSync(this.options.seccompProfilePath, 'r'));
      inherited.push(...(cgroup?.openProcsFiles() ?? []));
      const config = outerConfig(spec, enclosure, {
        mounts: cgroup?.mounts() ?? [],
        descriptors: inherited.length - 1,
      });
      const child = spawn(enclosure.programs.enclosure, ['outer', JSON.stringify(config)], {
        stdio: ['pipe', 'pipe', 'pipe', ...inherited],
        env: {},
        cwd: '/',
        // Out of the terminal's group: Ctrl-C is the daemon's, which lets what runs finish.
        detached: true,
      }) as PipedProcess;
      const channel = new LocalRunnerChannel(child, {
        onDiagnostics: (line) => this.options.logger.warn({ sandbox: sandboxId, line }, 'runner diagnostics'),
        oomKilled: () => cgroup?.oomKilled ?? false,
      });
      const sandbox = new LocalSandbox(sandboxId, channel, child, cgroup, () => this.#live.delete(sandboxId));
      this.#live.set(sandboxId, sandbox);
      return sandbox;
    } finally {
      for (const fd of inherited) closeSync(fd);
    }
  }
}
