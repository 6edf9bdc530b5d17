import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  encodeCredit,
  encodeKill,
  encodePing,
  encodePrepare,
  encodeReset,
  encodeStart,
  encodeStdin,
  type ExitReport,
  type KillRequest,
  type PongReport,
  type PreparedReport,
  type ReadyReport,
  type ResetReport,
  RunnerDeframer,
  type RunnerFile,
  type RunnerLimits,
  type RunnerMessage,
  type StartedReport,
} from '#dist/src/domain/sandbox/runner-protocol.js';

const IMAGE = process.env.BERTH_TEST_SANDBOX_IMAGE ?? 'berth/sandbox-python:3.11';
const SECCOMP = fileURLToPath(new URL('../../../templates/seccomp/sandbox.json', import.meta.url));
const TMPFS = 'rw,exec,nosuid,nodev,mode=1777,size=64m,nr_inodes=16384';
const PLENTY = 0xffff_ffff;
const NO_LIMITS: RunnerLimits = { wallMs: 30_000, cpuMs: 0, outputBytes: 0, fileBytes: 0 };
const LANGUAGE = 'python';

export interface Program {
  /** Written to main.py and run by the launcher, unless `command` is given. */
  code?: string | Uint8Array;
  command?: string[];
  argv?: string[];
  env?: Record<string, string>;
  cwd?: string;
  entry?: string;
  files?: Record<string, string | Uint8Array>;
  stdin?: string | Uint8Array;
  stdinOpen?: boolean;
  limits?: Partial<RunnerLimits>;
  outputCredit?: number;
}

export interface Outcome {
  exit: ExitReport;
  started: StartedReport | undefined;
  stdout: string;
  stderr: string;
  stdoutBytes: Buffer;
}

/** One container with the flags that the daemon gives it, and the runner in it spoken to over `docker run -i`. */
export class TestSandbox implements AsyncDisposable {
  ready!: ReadyReport;
  uid: number;
  execution = 0;
  sentBytes = 0;
  /** Messages nobody has taken yet. */
  readonly #inbox: RunnerMessage[] = [];
  readonly #deframer = new RunnerDeframer();
  #wake: (() => void) | undefined;
  #closed = false;
  #diagnostics = '';
  readonly exited: Promise<number | null>;

  private constructor(
    private readonly docker: ChildProcessWithoutNullStreams,
    readonly name: string,
  ) {
    this.uid = 200_000 + Math.floor(Math.random() * 100_000);
    docker.stdout.on('data', (chunk: Buffer) => {
      for (const message of this.#deframer.push(chunk)) this.#inbox.push(kept(message));
      this.#wake?.();
    });
    docker.stderr.on('data', (chunk: Buffer) => (this.#diagnostics += chunk.toString()));
    this.exited = once(docker, 'close').then(([code]: number[]) => {
      this.#closed = true;
      this.#wake?.();
      return code ?? null;
    });
  }

  /** Starts a container whose spare is ready. */
  static async start(options: { languages?: string[]; dockerArgs?: string[] } = {}): Promise<TestSandbox> {
    const name = `berth-test-runner-${process.pid}-${Date.now()}-${Math.floor(Math.random() * 1e6)}`;
    const args = [
      ...['run', '-i', '--rm', '--name', name, '--label', 'berth.test=runner'],
      ...['--cap-drop', 'ALL', '--cap-add', 'SETUID', '--cap-add', 'SETGID', '--cap-add', 'KILL'],
      ...['--security-opt', 'no-new-privileges', '--security-opt', `seccomp=${SECCOMP}`],
      ...['--network', 'none', '--read-only', '--tmpfs', `/tmp:${TMPFS}`, '--tmpfs', `/workspace:${TMPFS}`],
      ...['--shm-size', '16m', '--ipc', 'private', '--pids-limit', '128'],
      ...['--memory', '512m', '--memory-swap', '512m', '--cpu-period', '10000', '--cpu-quota', '5000'],
      ...['--log-driver', 'none', '--ulimit', 'core=0', '--ulimit', 'nofile=1024'],
      ...(options.dockerArgs ?? []),
      ...['--entrypoint', '/berth/runner', IMAGE, ...(options.languages ?? [LANGUAGE])],
    ];
    const sandbox = new TestSandbox(spawn('docker', args), name);
    sandbox.ready = (await sandbox.next('ready')).report;
    if (options.languages === undefined) await sandbox.prepare();
    return sandbox;
  }

  /** Waits for the first message of the type that is not taken yet. */
  async next<T extends RunnerMessage['type']>(type: T): Promise<RunnerMessage & { type: T }> {
    for (;;) {
      const at = this.#inbox.findIndex((message) => message.type === type);
      const [found] = at < 0 ? [] : this.#inbox.splice(at, 1);
      if (found) return found as RunnerMessage & { type: T };
      if (this.#closed) throw new Error(`the runner is gone while ${type} is awaited: ${this.#diagnostics}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Messages that have come and are not taken, in order. */
  get pending(): readonly RunnerMessage[] {
    return this.#inbox;
  }

  send(frame: Uint8Array): void {
    this.sentBytes += frame.length;
    this.docker.stdin.write(frame);
  }

  async prepare(): Promise<PreparedReport> {
    this.send(encodePrepare({ uid: this.uid, language: LANGUAGE }));
    return (await this.next('prepared')).report;
  }

  begin(program: Program): number {
    const files: RunnerFile[] = Object.entries(program.files ?? {}).map(([path, content]) => ({
      path,
      content: bytes(content),
    }));
    const common = {
      uid: this.uid,
      argv: program.command ?? program.argv ?? [],
      env: program.env ?? {},
      cwd: program.cwd,
      stdin: { content: bytes(program.stdin ?? ''), open: program.stdinOpen ?? false },
      limits: { ...NO_LIMITS, ...program.limits },
      outputCredit: program.outputCredit ?? PLENTY,
    };
    const code = program.code === undefined ? undefined : bytes(program.code);
    const number = ++this.execution;
    if (program.command) {
      if (code) files.push({ path: program.entry ?? 'main.py', content: code });
      this.send(encodeStart(number, { ...common, files, mode: 'command' }));
    } else {
      const { entry } = program;
      this.send(encodeStart(number, { ...common, files, mode: 'launcher', language: LANGUAGE, entry, code }));
    }
    return number;
  }

  /** Everything up to EXIT of the execution that was begun last. */
  async finish(): Promise<Outcome> {
    const exit = (await this.next('exit')).report;
    const out: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    let started: StartedReport | undefined;
    for (const message of this.#inbox.splice(0)) {
      if (message.type === 'stdout' || message.type === 'stderr')
        out[message.type].push(Buffer.from(message.bytes));
      else if (message.type === 'started') started = message.report;
      else if (message.type !== 'stdinTaken') throw new Error(`unexpected ${message.type} before EXIT`);
    }
    const stdoutBytes = Buffer.concat(out.stdout);
    return {
      exit,
      started,
      stdoutBytes,
      stdout: stdoutBytes.toString(),
      stderr: Buffer.concat(out.stderr).toString(),
    };
  }

  run(program: Program): Promise<Outcome> {
    this.begin(program);
    return this.finish();
  }

  /** Runs and resets. */
  async once(program: Program): Promise<Outcome> {
    const outcome = await this.run(program);
    const report = await this.reset();
    if (!report.ok) throw new Error(`reset: ${JSON.stringify(report)}`);
    return outcome;
  }

  /** The same program by a plain interpreter in this sandbox, as `cd /workspace && python3 main.py` runs it. */
  plain(program: Program): Promise<Outcome> {
    const { argv, ...rest } = program;
    return this.once({ ...rest, command: ['python3', program.entry ?? 'main.py', ...(argv ?? [])] });
  }

  /** Resets and waits for the next spare, which has another uid. */
  async reset(): Promise<ResetReport> {
    const { uid } = this;
    this.uid += 1;
    this.send(encodeReset({ uid, nextUid: this.uid, language: LANGUAGE }));
    const { report } = await this.next('resetDone');
    if (report.ok) {
      const prepared = (await this.next('prepared')).report;
      if (prepared.error !== undefined) throw new Error(prepared.error);
    }
    return report;
  }

  kill(request: KillRequest): void {
    this.send(encodeKill(this.execution, request));
  }

  credit(bytes: number): void {
    this.send(encodeCredit(this.execution, bytes));
  }

  input(content: string | 'end'): void {
    this.send(encodeStdin(this.execution, content === 'end' ? 'end' : bytes(content)));
  }

  async ping(): Promise<PongReport> {
    this.send(encodePing());
    return (await this.next('pong')).report;
  }

  /** Closes the runner's input, on which it ends. */
  async close(): Promise<number | null> {
    this.docker.stdin.end();
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

/** Output bytes are views into a chunk: kept ones are copied. */
function kept(message: RunnerMessage): RunnerMessage {
  if (message.type === 'stdout' || message.type === 'stderr')
    return { ...message, bytes: Buffer.from(message.bytes) };
  return message;
}
