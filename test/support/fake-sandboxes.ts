import { deferred, type Deferred } from '../../src/lib/deferred.js';
import type { ChannelLoss } from '../../src/domain/sandbox/engine.js';
import type { ResetReceipt } from '../../src/domain/sandbox/execution.js';
import type { SandboxHealth } from '../../src/domain/sandbox/health.js';
import type { AnySandbox, SandboxFactory } from '../../src/domain/sandbox/sandbox.js';
import type { SandboxSpec } from '../../src/domain/sandbox/spec.js';

const RECEIPT: ResetReceipt = {
  ok: true,
  error: '',
  elapsedMs: 1,
  killedProcesses: 0,
  removedFiles: 0,
  removedBytes: 0,
  removedIpc: 0,
  remainingProcesses: 0,
  remainingFiles: 0,
  memoryBytes: 0,
  verifiedBy: 'runner',
  at: 0,
  number: 1,
};

export const WELL: SandboxHealth = {
  at: 0,
  healthy: true,
  running: true,
  responsive: true,
  memoryOk: true,
  processesOk: true,
  rootReadOnly: true,
  memoryBytes: 1,
  processes: 3,
  tookMs: 1,
  message: '',
};

/** A sandbox whose resets and removals the test settles when it wants to. */
export class FakeSandbox implements AnySandbox {
  onLost: ((loss: ChannelLoss) => void) | undefined;
  uses = 0;
  receipt: ResetReceipt | undefined;
  lost = false;
  health: SandboxHealth | undefined;
  readonly checks: Deferred<SandboxHealth>[] = [];
  /** How often the pool has told it that its container has died. */
  deaths = 0;
  readonly engineName = 'docker';
  readonly languageVersion = '3.11.2';
  readonly limitsEnforced = true;
  readonly resets: Deferred<ResetReceipt>[] = [];
  readonly gone = deferred<void>();
  destroyCalls = 0;

  constructor(
    readonly id: string,
    readonly spec: SandboxSpec,
    private readonly auto: boolean,
  ) {}

  get containerId(): string {
    return `container-of-${this.id}`;
  }

  start(): never {
    throw new Error('the pool never starts anything in a sandbox');
  }

  reset(): Promise<ResetReceipt> {
    const done = deferred<ResetReceipt>();
    this.resets.push(done);
    if (this.auto) done.resolve(RECEIPT);
    return done.promise;
  }

  checkHealth(): Promise<SandboxHealth> {
    const check = deferred<SandboxHealth>();
    this.checks.push(check);
    return check.promise;
  }

  containerDied(): void {
    this.deaths++;
  }

  destroy(): Promise<void> {
    this.destroyCalls++;
    if (this.auto) this.gone.resolve();
    return this.gone.promise;
  }

  die(): void {
    this.lost = true;
    this.onLost?.({ cause: 'container_died', message: 'killed by the test', oomKilled: false });
  }
}

/** A factory that counts what exists and lets the test decide when a creation ends. */
export class FakeFactory implements SandboxFactory {
  readonly made: FakeSandbox[] = [];
  readonly pending: { id: string; finish: () => void; fail: (error: Error) => void }[] = [];
  mostAtOnce = 0;
  #existing = 0;
  #next = 0;

  constructor(private readonly options: { auto: boolean; failWith?: () => Error | undefined }) {}

  newId(): string {
    return `sbx-${++this.#next}`;
  }

  create(id: string, spec: SandboxSpec, signal: AbortSignal): Promise<FakeSandbox> {
    this.#existing++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#existing);
    const result = deferred<FakeSandbox>();
    const fail = (error: Error): void => {
      this.#existing--;
      result.reject(error);
    };
    const finish = (): void => {
      const sandbox = new FakeSandbox(id, spec, this.options.auto);
      void sandbox.gone.promise.then(() => this.#existing--);
      this.made.push(sandbox);
      result.resolve(sandbox);
    };
    signal.addEventListener('abort', () => fail(new Error('creation was aborted')), { once: true });
    const failure = this.options.failWith?.();
    if (failure !== undefined) setImmediate(() => fail(failure));
    else if (this.options.auto) setImmediate(finish);
    else this.pending.push({ id, finish, fail });
    return result.promise;
  }

  get existing(): number {
    return this.#existing;
  }
}

export const SPEC: SandboxSpec = {
  image: 'test:1',
  imageDigest: 'sha256:0',
  languages: ['python'],
  limits: { memoryBytes: 1, cpuMillis: 500, processes: 128, tmpfsBytes: 1, tmpfsInodes: 1, shmBytes: 1 },
  network: 'none',
  isolation: 'reuse',
};
