import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Turns } from '../../../lib/turns.js';
import type { Logger } from '../../../telemetry/logger.js';
import { BerthError, messageOf } from '../../../domain/errors.js';
import type { ChannelLoss, SandboxEngine, SandboxInstance } from '../../../domain/sandbox/engine.js';
import type { SandboxSpec } from '../../../domain/sandbox/spec.js';
import { removeContainer } from '../container-removal.js';
import type { DockerCalls } from '../docker-calls.js';
import {
  berthErrorFrom,
  cancelledError,
  type FailureContext,
  isFailure,
  throwIfCancelled,
} from '../docker-error.js';
import type { DockerStreams } from '../docker-streams.js';
import { inspectImage } from '../images-on-host.js';
import { KIND_LABEL, OWNER_LABEL, SANDBOX_LABEL } from '../labels.js';
import type { OciRuntime } from '../oci-runtime.js';
import type { DockerFailure } from '../worker/failure.js';
import { diagnoseLoss } from './channel-loss.js';
import { whyLimitsDoNotHold } from './gvisor/held-limits.js';
import { explainGvisorLoss } from './gvisor/loss.js';
import { gvisorRuntimeName } from './gvisor/runtime-name.js';
import {
  sandboxContainerBody,
  sandboxContainerName,
  type SandboxContainerContext,
} from './container-config.js';
import { openHostCgroup } from './host-cgroup.js';
import { DockerSandbox } from './instance.js';
import { DockerRunnerChannel } from './runner-channel.js';
import { runnerSocketPath } from './runner-socket-path.js';

/** What Docker, containerd, the shim and the runtime keep busy while they make one container. */
const CORES_A_START = 2;
const CREATE_TIMEOUT_MS = 60_000;
/** Docker's word for a file that is not where it looks for it. */
const UNSEEN_FILE = /bind source path does not exist/;
const GVISOR_DEFAULTS: GvisorOptions = { runtime: '', unenforcedLimits: 'refuse' };

export interface GvisorOptions {
  /** Docker runtime that isolation gvisor uses; empty: the first that Docker has of berth-runsc and runsc. */
  runtime: string;
  /** Where the limits cannot be seen to hold: `refuse` the sandbox, or `allow` it and say so with every execution. */
  unenforcedLimits: 'refuse' | 'allow';
}

export interface DockerSandboxEngineOptions {
  calls: DockerCalls;
  streams: DockerStreams;
  owner: string;
  /** File of the seccomp profile; read once, when the first sandbox is created. */
  seccompProfilePath: string;
  /** Whether the containers run on this host, so that their cgroup files can be read. */
  sameHost: boolean;
  /** File on this host that sandboxes see as `/etc/hosts`; only used with `sameHost`. */
  hostsFile: string;
  /** Of sandboxes without gVisor. */
  ociRuntime: OciRuntime;
  /** Default: the runtime that is there, and only with limits. */
  gvisor?: GvisorOptions;
  logger: Logger;
}

/** Sandboxes as Docker containers. A container is removed by whoever it was created for, or by `removeStrays`. */
export class DockerSandboxEngine implements SandboxEngine {
  readonly name = 'docker';
  readonly #gvisor: GvisorOptions;
  /**
   * Containers that Docker is making, and removes where that can wait. More at once than the cores can carry end no sooner, but
   * all together, so that whoever waits for the second has waited for two; one after the other, each warms up while Docker makes
   * the next.
   */
  readonly #turns: Turns;
  #seccompProfile: Promise<string> | undefined;
  /** Undefined where Docker cannot see it. */
  #hostsFile: string | undefined;

  constructor(private readonly options: DockerSandboxEngineOptions) {
    this.#gvisor = options.gvisor ?? GVISOR_DEFAULTS;
    this.#turns = new Turns(
      options.sameHost ? Math.max(1, Math.floor(availableParallelism() / CORES_A_START)) : Infinity,
    );
    this.#hostsFile = options.sameHost ? options.hostsFile : undefined;
  }

  async resolveImage(image: string, signal?: AbortSignal): Promise<string> {
    return (await inspectImage(this.options.calls, image, signal)).digest;
  }

  async create(sandboxId: string, spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxInstance> {
    const context: FailureContext = {
      doing: `creating sandbox ${sandboxId}`,
      refused: 'SANDBOX_CREATE_FAILED',
      signal,
    };
    const ofCaller = signal ?? new AbortController().signal;
    let end: (() => void) | undefined;
    try {
      end = await this.#turns.take(ofCaller);
      // One that is given up, since Docker hangs, must not hold up others.
      ofCaller.addEventListener('abort', end, { once: true });
      const under = (runtime: string | undefined): Promise<SandboxInstance> =>
        this.#createUnder(runtime, sandboxId, spec, signal);
      if (spec.isolation === 'gvisor') return await under(await this.#gvisorRuntime(signal));
      return await this.options.ociRuntime.use(under);
    } catch (error) {
      // Who was waiting for a turn got the signal's own reason.
      throw berthErrorFrom(end === undefined ? cancelledError() : error, context);
    } finally {
      if (end) {
        ofCaller.removeEventListener('abort', end);
        end();
      }
    }
  }

  async removeStrays(isKnown: (sandboxId: string) => boolean): Promise<string[]> {
    const labels = [`${OWNER_LABEL}=${this.options.owner}`, `${KIND_LABEL}=sandbox`];
    try {
      const containers = await this.options.calls.run({ op: 'listContainers', labels });
      const strays = containers.filter((container) => !isKnown(container.labels[SANDBOX_LABEL] ?? ''));
      await Promise.all(strays.map((container) => removeContainer(this.options.calls, container.id)));
      return strays.map((container) => container.labels[SANDBOX_LABEL] ?? container.name);
    } catch (error) {
      throw berthErrorFrom(error, { doing: 'removing stray sandboxes', refused: 'DOCKER_ERROR' });
    }
  }

  /** @param runtime undefined: Docker's default */
  async #createUnder(
    runtime: string | undefined,
    sandboxId: string,
    spec: SandboxSpec,
    signal: AbortSignal | undefined,
  ): Promise<SandboxInstance> {
    const name = sandboxContainerName(sandboxId);
    const { owner, sameHost } = this.options;
    try {
      const seccompProfile = await this.#readSeccompProfile();
      const context = { sandboxId, owner, seccompProfile, runtime, sameHost };
      const id = await this.#createContainer(name, spec, context, signal);
      throwIfCancelled(signal);
      return await this.#start(sandboxId, id, spec, signal);
    } catch (error) {
      // With a conflict the container of this name is another one's.
      if (!isFailure(error, 'conflict')) await this.#discard(name);
      throw error;
    }
  }

  /** Resolves to its id. */
  async #createContainer(
    name: string,
    spec: SandboxSpec,
    context: Omit<SandboxContainerContext, 'hostsFile'>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const hostsFile = this.#hostsFile;
    const body = sandboxContainerBody(spec, { ...context, hostsFile });
    throwIfCancelled(signal);
    try {
      // Never cancelled: Docker would finish it all the same, after the removal had found nothing. Waiting for its
      // answer is what makes sure that a cancelled create leaves nothing.
      const { id } = await this.options.calls.run(
        { op: 'createContainer', name, body },
        { timeoutMs: CREATE_TIMEOUT_MS },
      );
      return id;
    } catch (error) {
      if (
        hostsFile === undefined ||
        !isFailure(error, 'bad_parameter') ||
        !UNSEEN_FILE.test(messageOf(error))
      )
        throw error;
      // Docker sees other files than this process, for one when berthd runs in a container.
      this.options.logger.info(
        { err: error },
        'Docker does not see the hosts file; it makes one for each sandbox',
      );
      this.#hostsFile = undefined;
      return this.#createContainer(name, spec, context, signal);
    }
  }

  /** Attaches before the start, so that the runner's first frame is not missed. */
  async #start(
    sandboxId: string,
    containerId: string,
    spec: SandboxSpec,
    signal: AbortSignal | undefined,
  ): Promise<SandboxInstance> {
    const { calls, streams, logger } = this.options;
    const isGvisor = spec.isolation === 'gvisor';
    const channel = await DockerRunnerChannel.open(
      streams,
      {
        containerId,
        diagnose: async (failure: DockerFailure | undefined): Promise<ChannelLoss> => {
          const loss = await diagnoseLoss(calls, containerId, failure);
          return isGvisor ? explainGvisorLoss(calls, containerId, loss) : loss;
        },
        onDiagnostics: (line) => logger.warn({ sandbox: sandboxId, line }, 'runner diagnostics'),
      },
      signal,
    );
    try {
      await calls.run({ op: 'startContainer', id: containerId }, { signal });
      const { pid } = await calls.run({ op: 'inspectContainer', id: containerId }, { signal });
      const cgroup = this.options.sameHost && pid > 0 ? openHostCgroup(containerId, pid) : undefined;
      cgroup?.allowCpuBurst();
      if (!isGvisor) cgroup?.liftCpuQuota();
      // Only a pid whose cgroup is the container's is surely the container's.
      const socketPath = cgroup === undefined || isGvisor ? undefined : runnerSocketPath(pid);
      if (socketPath !== undefined) channel.useSocket(socketPath);
      const limitsEnforced = !isGvisor || this.#gvisorHoldsLimits(sandboxId, containerId, pid, spec);
      const outside = { cgroup, showsProcesses: !isGvisor, limitsEnforced };
      return new DockerSandbox(sandboxId, containerId, channel, outside, calls, this.#turns);
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  async #discard(name: string): Promise<void> {
    try {
      await removeContainer(this.options.calls, name);
    } catch (error) {
      // Docker is away or broken; `removeStrays` finds it by its label.
      this.options.logger.warn(
        { container: name, err: error },
        'sandbox that failed to start was not removed',
      );
    }
  }

  async #gvisorRuntime(signal: AbortSignal | undefined): Promise<string> {
    const { runtimes } = await this.options.calls.run({ op: 'info' }, { signal });
    return gvisorRuntimeName(runtimes, this.#gvisor.runtime);
  }

  /** @throws BerthError ISOLATION_UNAVAILABLE where they do not, unless that is allowed */
  #gvisorHoldsLimits(sandboxId: string, containerId: string, pid: number, spec: SandboxSpec): boolean {
    const why = this.options.sameHost
      ? whyLimitsDoNotHold(containerId, pid, spec.limits)
      : 'Docker is on another host, whose control groups cannot be seen from here';
    if (why === undefined) return true;
    if (this.#gvisor.unenforcedLimits === 'refuse') {
      throw new BerthError(
        'ISOLATION_UNAVAILABLE',
        `gVisor runs, but it cannot be relied on that memory, CPU and processes are limited: ${why}; ` +
          "register the runtime that limits them ('npm run quickstart -- --gvisor' as root, on the host of Docker and berthd), " +
          'or allow code without limits with BERTH_SANDBOX_GVISOR_UNENFORCED_LIMITS=allow',
      );
    }
    this.options.logger.warn({ sandbox: sandboxId, why }, 'gVisor runs without limits, as is allowed');
    return false;
  }

  #readSeccompProfile(): Promise<string> {
    this.#seccompProfile ??= readFile(this.options.seccompProfilePath, 'utf8').then(
      // Compact: it goes with every create call.
      (text) => JSON.stringify(JSON.parse(text)),
      (cause: unknown) => {
        this.#seccompProfile = undefined;
        throw new BerthError('SANDBOX_CREATE_FAILED', `cannot read the seccomp profile: ${String(cause)}`, {
          cause,
        });
      },
    );
    return this.#seccompProfile;
  }
}
