import type { Isolation } from './spec.js';
import type { MissReason, ServedBy } from '../pool/outcome.js';

/** A file that is written into the work directory before the code starts. */
export interface InputFile {
  /** Relative to the work directory, `/` between parts, no `..`. */
  path: string;
  content: Uint8Array;
  /** Permission bits. */
  mode: number;
}

/** Wall time and output are always set; 0 elsewhere means the default of the daemon or of the pool. */
export interface ExecutionLimits {
  wallMs: number;
  cpuMs: number;
  memoryBytes: number;
  /** Thousandths of a core. */
  cpuMillis: number;
  processes: number;
  outputBytes: number;
  fileBytes: number;
  scratchBytes: number;
}

/** One run of code, checked and with every default filled in. */
export interface ExecutionRequest {
  tenant: string;
  requestId: string;
  /** sha256 of the request as it came, to tell a replay from another request with the same id. */
  digest: string;
  /** Empty when `image` is given. */
  language: string;
  version: string;
  image: string;
  /** `argv` is a whole command line, run as it is. */
  isCommand: boolean;
  /** Source text; undefined for a command, or when the entry is one of the files. */
  code: Uint8Array | undefined;
  /** Arguments of the program, or the whole command line when there is no code. */
  argv: string[];
  entry: string;
  cwd: string;
  env: Record<string, string>;
  files: InputFile[];
  stdin: Uint8Array;
  limits: ExecutionLimits;
  isolation: Isolation;
  /** Milliseconds that the request may wait for a sandbox; 0: the configured time. */
  acquireTimeoutMs: number;
  /** Pool to take the sandbox from; empty: the one of the spec that the other fields describe. */
  poolId: string;
  /** Preset of the pool if this request is the first of its spec; empty: the configured settings. */
  poolPreset: string;
  /** Only in a container made for it and removed after it. */
  ownContainer: boolean;
  /** Which lesser ways of running are ruled out. */
  degrade: { forbidOneShot: boolean; forbidLocal: boolean };
  /** Whether it ends with the call that asked for it. */
  cancelOnDisconnect: boolean;
  /** Committed before it runs; then it has a `requestId`. */
  durable: boolean;
  /** Send `progress` events before `started`. */
  progress: boolean;
  labels: Record<string, string>;
}

export type EndReason =
  | 'exited'
  | 'signalled'
  | 'wall_timeout'
  | 'cpu_timeout'
  | 'out_of_memory'
  | 'output_limit'
  | 'cancelled'
  | 'sandbox_lost'
  | 'start_failed';

export type PeakMemorySource = 'cgroup_peak' | 'sampled' | 'rusage' | 'none';

export interface ExecutionUsage {
  /** Milliseconds, with fractions. */
  wallMs: number;
  userCpuMs: number;
  systemCpuMs: number;
  peakMemoryBytes: number;
  peakMemorySource: PeakMemorySource;
  stdoutBytes: number;
  stderrBytes: number;
  /** Processes that the kernel killed for want of memory. */
  oomKills: number;
}

/** Who ended an execution that was cancelled. `sandbox_deleted`: its sandbox was recycled or its pool drained. */
export type CancelCause = 'requested' | 'disconnected' | 'deadline' | 'shutdown' | 'sandbox_deleted';

/** How a sandbox was lost under an execution. `daemon_crashed`: found out by the daemon's next life. */
export type LostCause = 'container_died' | 'engine_lost' | 'connection_lost' | 'daemon_crashed';

/** What a reset found, removed and verified before the sandbox was used again. */
export interface ResetReceipt {
  /** The sandbox is as good as new; otherwise it was destroyed, and `error` says why. */
  ok: boolean;
  /** What was wrong; empty when `ok`. */
  error: string;
  elapsedMs: number;
  killedProcesses: number;
  removedFiles: number;
  removedBytes: number;
  removedIpc: number;
  /** Found afterwards beyond the baseline; 0 when `ok`. */
  remainingProcesses: number;
  remainingFiles: number;
  memoryBytes: number;
  /** `runner`: looked at from inside. `runner+cgroup`: processes counted from outside as well. */
  verifiedBy: 'runner' | 'runner+cgroup';
  at: number;
  /** Which reset of the sandbox's life it was, from 1. */
  number: number;
}

/** What the start waits for; only sent when asked for. */
export interface ProgressBody {
  type: 'progress';
  phase: 'waiting_for_sandbox' | 'creating_sandbox';
  /** Place in the queue, from 1; 0: in no queue. */
  queuePosition: number;
  message: string;
}

export interface StartedBody {
  type: 'started';
  sandboxId: string;
  poolId: string;
  engine: string;
  /** Undefined, as the two below, only where a crash came before it was recorded. */
  servedBy: ServedBy | undefined;
  servedReason: string;
  isolation: Isolation | undefined;
  poolHit: boolean | undefined;
  missReason: MissReason | undefined;
  acquireMs: number;
  /** Image reference and digest. */
  image: string;
  /** As in the request; empty for a command of an image. */
  language: string;
  /** In full (`3.11.2`); empty for a command. */
  languageVersion: string;
  /** Whether the kernel holds the limits of the sandbox. */
  limitsEnforced: boolean;
  /** How the program was started: a spare that waited, one forked now, a new interpreter, a command; none: it was not. */
  startPath: 'spare' | 'fork' | 'fresh' | 'command' | 'none';
  startPathReason: string;
}

export interface OutputBody {
  type: 'output';
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

export interface EndedBody {
  type: 'ended';
  reason: EndReason;
  /** Of the main process; undefined when it did not exit by itself. */
  exitCode: number | undefined;
  /** `SIGSEGV`, …; empty when it was not ended by a signal. */
  signal: string;
  message: string;
  usage: ExecutionUsage;
  /** True when output was cut at the limit. */
  truncated: boolean;
  cancelCause: CancelCause | undefined;
  lostCause: LostCause | undefined;
  /** Of the reset before this execution; undefined in a sandbox that had no execution before. */
  receipt: ResetReceipt | undefined;
}

export type ExecutionEventBody = ProgressBody | StartedBody | OutputBody | EndedBody;

/** `seq` rises by one from 1; `ended` is the last event and comes exactly once. */
export interface ExecutionEvent {
  seq: number;
  /** Milliseconds since the epoch. */
  time: number;
  body: ExecutionEventBody;
}
