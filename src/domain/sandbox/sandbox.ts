import { newId } from '../ids.js';
import { BerthError, messageOf } from '../errors.js';
import type { UidAllocator } from '../pool/uid-allocator.js';
import type { ChannelLoss, Haste, SandboxEngine, SandboxInstance } from './engine.js';
import type { ResetReceipt } from './execution.js';
import { judgeHealth, type SandboxHealth } from './health.js';
import { RunnerSession, type Job, type JobSink, type RunningJob } from './runner-session.js';
import type { ResetReport } from './runner-protocol.js';
import type { SandboxSpec } from './spec.js';

/** Time that a runner may take to answer while nothing runs. Milliseconds. */
const PING_TIMEOUT_MS = 5_000;

/** The public side of a sandbox: what a pool and an executor use. */
export type AnySandbox = Pick<Sandbox, keyof Sandbox>;

/** Makes sandboxes that are ready to run code at once: runner up, zygotes warm, a spare forked. */
export interface SandboxFactory {
  newId(): string;
  /** On failure nothing is left. @throws what `SandboxEngine.create` throws, SANDBOX_CREATE_FAILED */
  create(id: string, spec: SandboxSpec, signal: AbortSignal): Promise<AnySandbox>;
}

/** The sandboxes of an engine. */
export function sandboxFactory(engine: SandboxEngine, uids: UidAllocator): SandboxFactory {
  return {
    newId: () => newId('sbx'),
    create: (id, spec, signal) => Sandbox.create(engine, uids, id, spec, signal),
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
  /** Of the newest health check; undefined before the first. */
  health: SandboxHealth | undefined;
  /** Memory as the runner saw it before the first execution; 0: not known. Bytes. */
  #baselineMemory = 0;
  /** Uids of resets that failed. */
  readonly #uidsToFree: number[] = [];
  /** Processes from outside in the state in which an execution finds it: runner, zygotes, spare. */
  #baselineProcesses: number | undefined;

  private constructor(
    readonly engineName: string,
    readonly spec: SandboxSpec,
    private readonly instance: SandboxInstance,
    private readonly session: RunnerSession,
    private readonly uids: UidAllocator,
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
      instance.warmedUp?.();
      const sandbox = new Sandbox(
        engine.name,
        spec,
        instance,
        session,
        uids,
        uid,
        language === undefined ? '' : (languages[language]?.version ?? ''),
      );
      sandbox.#baselineProcesses = instance.countProcesses?.();
      sandbox.#baselineMemory = (await session.ping(PING_TIMEOUT_MS)).memoryBytes;
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
   * forked. `receipt` says what was found, also when it fails. @throws BerthError SANDBOX_LOST when anything is in doubt
   */
  async reset(timeoutMs: number): Promise<ResetReceipt> {
    const startedAt = performance.now();
    const nextUid = this.uids.take();
    const language = this.spec.languages[0];
    let report: ResetReport | undefined;
    let processes: number | undefined;
    let problem: string | undefined;
    try {
      report = await this.session.reset({ uid: this.uid, nextUid, language }, timeoutMs);
      processes = this.instance.countProcesses?.();
      problem = this.#problemAfter(report, processes);
    } catch (error) {
      problem = messageOf(error);
    }
    this.receipt = {
      ok: problem === undefined,
      error: problem ?? '',
      elapsedMs: performance.now() - startedAt,
      killedProcesses: report?.killedProcesses ?? 0,
      removedFiles: report?.removedFiles ?? 0,
      removedBytes: report?.removedBytes ?? 0,
      removedIpc: report?.removedIpc ?? 0,
      remainingProcesses: Math.max(
        report?.remainingProcesses ?? 0,
        (processes ?? 0) - (this.#baselineProcesses ?? 0),
      ),
      remainingFiles: report?.remainingFiles ?? 0,
      memoryBytes: report?.memoryBytes ?? 0,
      verifiedBy: processes === undefined ? 'runner' : 'runner+cgroup',
      at: Date.now(),
      number: (this.receipt?.number ?? 0) + 1,
    };
    if (problem !== undefined) {
      // It may have been taken over already: it is free again with the container.
      this.#uidsToFree.push(nextUid);
      throw new BerthError('SANDBOX_LOST', `the reset could not be verified: ${problem}`);
    }
    this.uids.give(this.uid);
    this.uid = nextUid;
    return this.receipt;
  }

  /** The five points, of an idle sandbox. Never rejects; takes at most some seconds. */
  async checkHealth(): Promise<SandboxHealth> {
    const startedAt = performance.now();
    const [running, pong] = await Promise.all([
      // An engine that does not answer is not the sandbox's fault.
      this.instance.isRunning?.(AbortSignal.timeout(PING_TIMEOUT_MS)).catch(() => true) ?? true,
      this.session.ping(PING_TIMEOUT_MS).catch(() => undefined),
    ]);
    this.health = judgeHealth({
      running: running && !this.#lost,
      pong,
      processesOutside: this.instance.countProcesses?.(),
      memoryLimitBytes: this.spec.limits.memoryBytes,
      tookMs: performance.now() - startedAt,
    });
    return this.health;
  }

  /** The engine says that the container has died. Its channel ends with why, which is not known yet. */
  containerDied(): void {
    this.instance.channel.containerDied?.();
  }

  #problemAfter(report: ResetReport, processes: number | undefined): string | undefined {
    if (!report.ok) return report.error ?? 'the runner gives no reason';
    if (processes !== this.#baselineProcesses)
      return `after its reset the sandbox has ${processes} processes instead of ${this.#baselineProcesses}`;
    const most = this.#baselineMemory + memorySlack(this.spec.limits.memoryBytes);
    if (this.#baselineMemory > 0 && report.memoryBytes > most)
      return `after its reset the sandbox uses ${report.memoryBytes} bytes of memory, more than ${most}`;
    return undefined;
  }

  /**
   * Removes the container; its uid is free again afterwards. Idempotent, and may be called again when it failed. Default: `now`.
   */
  destroy(haste: Haste = 'now'): Promise<void> {
    if (this.#destroyed !== undefined && haste === 'now') void this.instance.destroy().catch(() => undefined);
    this.#destroyed ??= this.#destroy(haste).catch((error: unknown) => {
      this.#destroyed = undefined;
      throw error;
    });
    return this.#destroyed;
  }

  async #destroy(haste: Haste): Promise<void> {
    this.session.close();
    await this.instance.destroy(haste);
    for (const uid of [this.uid, ...this.#uidsToFree.splice(0)]) this.uids.give(uid);
  }
}

/**
 * How much more memory than at first a sandbox may hold after a reset, in bytes: a quarter of its limit, at least 32 MiB. What
 * stays is the page cache of files that executions read from the image, and memory of the kernel; more is not explained.
 */
function memorySlack(limitBytes: number): number {
  return Math.max(32 * 1024 * 1024, limitBytes / 4);
}
