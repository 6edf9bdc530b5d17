import type { SandboxSpec } from './spec.js';

/**
 * Where sandboxes come from. Small on purpose: Docker implements it now; Kubernetes and a local
 * engine can later. Everything that happens inside a sandbox goes through its channel.
 */
export interface SandboxEngine {
  readonly name: 'docker' | 'kubernetes' | 'local';

  /**
   * Resolves an image reference to its content digest.
   * @throws BerthError IMAGE_NOT_FOUND | DOCKER_UNAVAILABLE
   */
  resolveImage(image: string, signal?: AbortSignal): Promise<string>;

  /**
   * Creates and starts a hardened container and attaches to its runner. Resolves when the channel is
   * open; the runner's READY frame comes through it. On failure nothing is left.
   * @throws BerthError IMAGE_NOT_FOUND | SANDBOX_CREATE_FAILED | ISOLATION_UNAVAILABLE | DOCKER_UNAVAILABLE | CANCELLED
   */
  create(sandboxId: string, spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxInstance>;

  /** Removes every sandbox container of this daemon's owner label that is not known when Docker has answered. Returns the removed sandbox ids. */
  removeStrays(isKnown: (sandboxId: string) => boolean): Promise<string[]>;
}

/** One running sandbox container. */
export interface SandboxInstance {
  readonly sandboxId: string;
  /** Full id of the container. */
  readonly containerId: string;
  readonly channel: RunnerChannel;
  /**
   * Peak memory of one execution, from outside the sandbox; absent where the host's cgroup files
   * cannot be read or reset (remote engine, cgroup v2 before kernel 6.12).
   */
  readonly peakMemory: PeakMemoryMeter | undefined;
  /** Whether the kernel holds the spec's limits. False only where the configuration allows that. */
  readonly limitsEnforced: boolean;
  /**
   * Processes in the container counted from outside, runner included; absent where it cannot be (remote engine, gVisor).
   * Synchronous file reads of some 25 µs.
   */
  countProcesses?(): number;
  /** Whether the engine says that the container runs; absent where that is known by the channel alone. @throws BerthError when the engine does not answer */
  isRunning?(signal: AbortSignal): Promise<boolean>;
  /**
   * To be called once the runner is ready and before any code of a user: from here on the CPU limit holds, from which the
   * warm-up may be free. @throws BerthError SANDBOX_CREATE_FAILED; nothing may run in it then
   */
  warmedUp?(): void;
  /**
   * Kills and removes the container. Idempotent; resolves when it is gone. A later call with more haste is not held back.
   * Default: `now`.
   */
  destroy(haste?: Haste): Promise<void>;
}

/**
 * How urgent a removal is. `when_quiet`: nothing runs in the sandbox, and where both at once would only delay each other, what
 * others wait for goes first.
 */
export type Haste = 'now' | 'when_quiet';

export interface PeakMemoryMeter {
  reset(): void;
  /** Bytes since the last reset. */
  read(): number;
}

/** The bytes to and from the runner of one sandbox, in order; `runner-protocol.ts` cuts them into frames. */
export interface RunnerChannel {
  /** Queues one encoded frame. Never blocks; the sender's flow control is the protocol's. */
  send(frame: Uint8Array): void;
  /** Set once; bytes that came before wait for it. Chunks belong to the receiver and may be cut anywhere. */
  onBytes: (chunk: Uint8Array) => void;
  /** Called once when the channel is gone: the container died, Docker went away, or the peer broke the protocol. */
  onClosed: (loss: ChannelLoss) => void;
  /**
   * The engine has said that the container has died: the channel is closed, as always with the reason that was found, even
   * where it would linger. Absent where the engine says no such thing.
   */
  containerDied?(): void;
  close(): void;
}

export interface ChannelLoss {
  cause: 'container_died' | 'docker_away' | 'protocol_error' | 'worker_died' | 'closed';
  message: string;
  /** True when the container was killed by its memory limit. */
  oomKilled: boolean;
}
