import { BerthError, messageOf } from '../../domain/errors.js';
import type { PeakMemoryMeter, SandboxInstance } from '../../domain/sandbox/engine.js';
import type { SandboxCgroup } from './cgroup-tree.js';
import { kill, processTree } from './process-tree.js';
import type { LocalRunnerChannel, PipedProcess } from './runner-channel.js';

/** A sandbox of processes: the enclosure's outer stage, bubblewrap, and the runner as process 1 of its own namespace. */
export class LocalSandbox implements SandboxInstance {
  readonly peakMemory: PeakMemoryMeter | undefined;
  readonly limitsEnforced: boolean;
  readonly countProcesses?: () => number;
  #destruction: Promise<void> | undefined;

  constructor(
    readonly sandboxId: string,
    readonly channel: LocalRunnerChannel,
    private readonly child: PipedProcess,
    private readonly cgroup: SandboxCgroup | undefined,
    private readonly onDestroyed: () => void,
  ) {
    this.peakMemory = cgroup?.peakMemory;
    this.limitsEnforced = cgroup !== undefined;
    if (cgroup) this.countProcesses = () => cgroup.countProcesses();
  }

  /** There is no container: the sandbox itself is what can be found on the host. */
  get containerId(): string {
    return this.sandboxId;
  }

  /** @throws SANDBOX_LOST when a cgroup cannot be removed; may then be called again. */
  destroy(): Promise<void> {
    this.#destruction ??= this.#destroy();
    return this.#destruction;
  }

  async #destroy(): Promise<void> {
    this.channel.close();
    const { pid, exitCode, signalCode } = this.child;
    // With its process 1 the kernel ends all of a pid namespace.
    if (pid !== undefined && exitCode === null && signalCode === null)
      processTree(pid).reverse().forEach(kill);
    await this.channel.ended;
    try {
      await this.cgroup?.remove();
    } catch (error) {
      this.#destruction = undefined;
      throw new BerthError(
        'SANDBOX_LOST',
        `sandbox ${this.sandboxId} cannot be removed: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
    this.onDestroyed();
  }
}
