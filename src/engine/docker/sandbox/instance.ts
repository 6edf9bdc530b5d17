import { BerthError, messageOf } from '../../../domain/errors.js';
import type {
  Haste,
  PeakMemoryMeter,
  RunnerChannel,
  SandboxInstance,
} from '../../../domain/sandbox/engine.js';
import type { Turns } from '../../../lib/turns.js';
import { removeContainer } from '../container-removal.js';
import type { DockerCalls } from '../docker-calls.js';
import { berthErrorFrom, isFailure } from '../docker-error.js';
import type { HostCgroup } from './host-cgroup.js';

/** What is known of a sandbox from outside. */
export interface OutsideView {
  /** Undefined where the host's cgroup files cannot be read. */
  cgroup: HostCgroup | undefined;
  /** Whether the host's processes are the container's own. Under gVisor they are gVisor's. */
  showsProcesses: boolean;
  limitsEnforced: boolean;
}

export class DockerSandbox implements SandboxInstance {
  readonly peakMemory: PeakMemoryMeter | undefined;
  readonly limitsEnforced: boolean;
  readonly countProcesses?: () => number;
  readonly #cgroup: HostCgroup | undefined;
  #destruction: Promise<void> | undefined;
  /** Aborted when the removal may wait no longer. */
  #patience = new AbortController();

  constructor(
    readonly sandboxId: string,
    readonly containerId: string,
    readonly channel: RunnerChannel,
    { cgroup, showsProcesses, limitsEnforced }: OutsideView,
    private readonly calls: DockerCalls,
    /** Of what keeps Docker busy on this host. */
    private readonly turns: Turns,
  ) {
    this.#cgroup = cgroup;
    this.peakMemory = cgroup?.peakMemory;
    this.limitsEnforced = limitsEnforced;
    if (cgroup && showsProcesses) this.countProcesses = () => cgroup.countProcesses();
  }

  async isRunning(signal: AbortSignal): Promise<boolean> {
    try {
      const { state } = await this.calls.run({ op: 'inspectContainer', id: this.containerId }, { signal });
      return state === 'running';
    } catch (error) {
      if (isFailure(error, 'not_found')) return false;
      throw berthErrorFrom(error, { doing: `inspecting sandbox ${this.sandboxId}`, refused: 'DOCKER_ERROR' });
    }
  }

  warmedUp(): void {
    try {
      this.#cgroup?.restoreCpuQuota();
    } catch (error) {
      throw new BerthError(
        'SANDBOX_CREATE_FAILED',
        `the CPU limit of sandbox ${this.sandboxId} cannot be set: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /** @throws DOCKER_UNAVAILABLE; may then be called again. */
  destroy(haste: Haste = 'now'): Promise<void> {
    if (haste === 'now') this.#patience.abort();
    this.#destruction ??= this.#destroy();
    return this.#destruction;
  }

  async #destroy(): Promise<void> {
    this.channel.close();
    this.#cgroup?.close();
    const end = await this.turns.take(this.#patience.signal, true).catch(() => undefined);
    try {
      await removeContainer(this.calls, this.containerId);
    } catch (error) {
      this.#destruction = undefined;
      throw berthErrorFrom(error, { doing: `removing sandbox ${this.sandboxId}`, refused: 'DOCKER_ERROR' });
    } finally {
      end?.();
    }
  }
}
