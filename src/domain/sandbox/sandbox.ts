import { newId } from '../ids.js';
import { BerthError } from '../errors.js';
import type { UidAllocator } from '../pool/uid-allocator.js';
import type { ChannelLoss, SandboxEngine, SandboxInstance } from './engine.js';
import type { ResetReceipt } from './execution.js';
import { RunnerSession, type Job, type JobSink, type RunningJob } from './runner-session.js';
import type { SandboxSpec } from './spec.js';

/** The public side of a sandbox: what a pool and an executor use. */
export type AnySandbox = Pick<Sandbox, keyof Sandbox>;

/** Makes sandboxes that are ready to run code at once: runner up, zygotes warm, a spare forked. */
export interface SandboxFactory {
  newId(): string;
  /** On failure nothing is left. @throws what `SandboxEngine.create` throws, SANDBOX_CREATE_FAILED */
  create(id: string, spec: SandboxSpec, signal: AbortSignal): Promise<AnySandbox>;
}

/** The sandboxes of an engine. */
export function sandboxFactory(
  engine: SandboxEngine,
  uids: UidAllocator,
  resetTimeoutMs: number,
): SandboxFactory {
  return {
    newId: () => newId('sbx'),
    create: (id, spec, signal) => Sandbox.create(engine, uids, id, spec, resetTimeoutMs, signal),
  };
}

/**
 * One container with its runner. It runs one execution at a time, under a uid that no other sandbox on the host has; `reset`
 * must come between two executions and gives it a new uid. Any failure of `reset` means: destroy it.
 */
export class Sandbox {
  /** Called once when the container is gone without having been destroyed by us. */
  onLost: ((loss: ChannelLoss) => void) | undefined;
  /** Executions started in it. */
  uses = 0;
  /** Of the last reset; undefined before the first. */
  receipt: ResetReceipt | undefined;
  /** Of the launcher (`3.11.2`); empty in a sandbox for commands. */
  readonly languageVersion: string;
  #lost = false;
  #destroyed: Promise<void> | undefined;
  /** Processes from outside in the state in which an execution finds it: runner, zygotes, spare. */
  #baselineProcesses: number | undefined;

  private constructor(
    readonly engineName: string,
    readonly spec: SandboxSpec,
    private readonly instance: SandboxInstance,
    private readonly session: RunnerSession,
    private readonly uids: UidAllocator,
    private readonly resetTimeoutMs: number,
    private uid: number,
    languageVersion: string,
  ) {
    this.languageVersion = languageVersion;
    session.onLost = (loss) => {
      this.#lost = true;
      this.onLost?.(loss);
    };
  }

  static async create(
    engine: SandboxEngine,
    uids: UidAllocator,
    id: string,
    spec: SandboxSpec,
    resetTimeoutMs: number,
    signal: AbortSignal,
  ): Promise<Sandbox> {
    const uid = uids.take();
    let instance: SandboxInstance | undefined;
    try {
      instance = await engine.create(id, spec, signal);
      const session = new RunnerSession(instance.channel);
      const { languages } = await session.ready(spec.languages, signal);
      const language = spec.languages[0];
      if (language !== undefined) await session.prepare(uid, language, signal);
      const sandbox = new Sandbox(
        engine.name,
        spec,
        instance,
        session,
        uids,
        resetTimeoutMs,
        uid,
        language === undefined ? '' : (languages[language]?.version ?? ''),
      );
      sandbox.#baselineProcesses = instance.countProcesses?.();
      return sandbox;
    } catch (error) {
      await instance?.destroy().catch(() => undefined);
      uids.give(uid);
      throw error;
    }
  }

  get id(): string {
    return this.instance.sandboxId;
  }

  get containerId(): string {
    return this.instance.containerId;
  }

  /** Whether the kernel holds the spec's limits. */
  get limitsEnforced(): boolean {
    return this.instance.limitsEnforced;
  }

  /** True when its container is gone; nothing more can run in it. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Starts one execution. `sink` gets its frames in order; `RunningJob.done` resolves with its end, always. */
  start(job: Omit<Job, 'uid'>, sink: JobSink): RunningJob {
    this.uses++;
    this.instance.peakMemory?.reset();
    return this.session.start({ ...job, uid: this.uid }, sink, this.instance.peakMemory);
  }

  /**
   * Kills down to the baseline, cleans, verifies from inside and, where it can be, from outside; only then a new spare is
   * forked. @throws BerthError SANDBOX_LOST when anything is in doubt
   */
  async reset(): Promise<ResetReceipt> {
    const startedAt = performance.now();
    const nextUid = this.uids.take();
    const language = this.spec.languages[0];
    const done = await this.session
      .reset({ uid: this.uid, nextUid, language }, this.resetTimeoutMs)
      .catch((error: unknown) => {
        this.uids.give(nextUid);
        throw error;
      });
    this.uids.give(this.uid);
    this.uid = nextUid;
    const processes = this.instance.countProcesses?.();
    if (processes !== this.#baselineProcesses) {
      throw new BerthError(
        'SANDBOX_LOST',
        `after its reset the sandbox has ${processes} processes instead of ${this.#baselineProcesses}`,
      );
    }
    this.receipt = {
      elapsedMs: performance.now() - startedAt,
      killedProcesses: done.killedProcesses,
      removedFiles: done.removedFiles,
      removedBytes: done.removedBytes,
      removedIpc: done.removedIpc,
      memoryBytes: done.memoryBytes,
      verifiedBy: processes === undefined ? 'runner' : 'runner+cgroup',
      at: Date.now(),
      number: (this.receipt?.number ?? 0) + 1,
    };
    return this.receipt;
  }

  /** Removes the container; its uid is free again afterwards. Idempotent, and may be called again when it failed. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy().catch((error: unknown) => {
      this.#destroyed = undefined;
      throw error;
    });
    return this.#destroyed;
  }

  async #destroy(): Promise<void> {
    this.session.close();
    await this.instance.destroy();
    this.uids.give(this.uid);
  }
}
