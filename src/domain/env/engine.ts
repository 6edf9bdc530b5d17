import type { ComposeProject } from './compose/model.js';
import type { UndoneThing } from './model.js';

/**
 * Applies compose projects. Everything it makes carries compose's own labels and Berth's
 * (`dev.berth.owner`, `dev.berth.kind=env`, `dev.berth.env`), so that `docker compose ps|logs|down` work on it and
 * recovery finds it. Every method may be repeated: what exists already as wanted is kept, what is gone already is no error.
 * All throw DOCKER_UNAVAILABLE when Docker does not answer, and CANCELLED when the signal is aborted.
 */
export interface EnvEngine {
  /** @throws IMAGE_NOT_FOUND with how to get it */
  requireImage(image: string, signal?: AbortSignal): Promise<{ digest: string; exposedPorts: number[] }>;

  /** Networks and named volumes of the project. @throws CONTAINER_START_FAILED, SUBNET_NONE_FREE (range overlaps) */
  createNetworksAndVolumes(project: ComposeProject, signal?: AbortSignal): Promise<UndoneThing[]>;

  /** Creates the containers, not started. @throws CONTAINER_START_FAILED, IMAGE_NOT_FOUND */
  createContainers(project: ComposeProject, signal?: AbortSignal): Promise<ProjectContainer[]>;

  /** Starts one service's container. @throws PORT_TAKEN, CONTAINER_START_FAILED, ENV_CONTAINER_MISSING */
  startService(projectName: string, service: string, signal?: AbortSignal): Promise<void>;

  /**
   * Stops all containers, dependants first, each with its own grace, then SIGKILL.
   * @param options.allOrNothing where one does not stop, those that had run are started again; default: not
   * @throws CONTAINER_STOP_FAILED
   */
  stop(projectName: string, signal?: AbortSignal, options?: { allOrNothing?: boolean }): Promise<void>;

  /**
   * Stops all containers as `stop` does, and removes what `remove` does: each thing as soon as nothing is in its way. A
   * container that does not stop is killed; why it did not is in `notStopped`.
   * @throws CONTAINER_STOP_FAILED when something cannot be removed
   */
  down(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
    signal?: AbortSignal,
  ): Promise<{ removed: UndoneThing[]; notStopped: string[] }>;

  /**
   * Removes containers, networks (by default) and, when asked, named volumes, whatever state they are in. Returns what was
   * removed. @throws as `down`
   */
  remove(
    projectName: string,
    options: { volumes: boolean; networks?: boolean },
    signal?: AbortSignal,
  ): Promise<UndoneThing[]>;

  inspect(projectName: string, signal?: AbortSignal): Promise<ProjectContainer[]>;

  /**
   * Runs the health check that a service's container has, once and now; without one, healthy is what runs.
   * `output`: what the check said, the last line of it.
   * @throws ENV_CONTAINER_MISSING
   */
  checkHealth(
    projectName: string,
    service: string,
    signal?: AbortSignal,
  ): Promise<{ healthy: boolean; output: string }>;

  /** Everything of this owner, by label: what reconcile compares with the rows. */
  listOwned(): Promise<OwnedThing[]>;

  /** Container events of one project from now on (start, die, health_status), until closed. */
  watch(
    projectName: string,
    onEvent: (event: ProjectEvent) => void,
    onEnd: (error: Error | undefined) => void,
  ): Promise<{ close(): void }>;

  /** Container events of all envs of this owner from now on, until closed. */
  watchAll(
    onEvent: (envId: string, event: ProjectEvent) => void,
    onEnd: (error: Error | undefined) => void,
  ): Promise<{ close(): void }>;

  /**
   * Bytes that the named volumes of a project and the containers' own layers have on disk; volumes count only where Docker
   * is on this host.
   */
  diskBytes(projectName: string, signal?: AbortSignal): Promise<number>;

  /** What a running container uses; takes Docker a second or two. @throws DOCKER_ERROR when it is gone */
  use(containerId: string, signal?: AbortSignal): Promise<ContainerUse>;

  /** Connections to a running container; undefined where the host of Docker is another one, or it does not run. */
  connections(containerId: string, signal?: AbortSignal): Promise<ConnectionCount | undefined>;

  /**
   * Log of one container. Backpressure: nothing is read ahead beyond a bounded buffer while the consumer does not pull.
   * @throws LogReaderBehind, after what had been read, with `giveUpAfterMs`
   */
  logs(containerId: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogChunk>;

  /**
   * Asks that the container not be removed by this engine before its log has been read to the end. `remove` waits for the
   * returned function to be called, at most three seconds.
   */
  holdLog(containerId: string): () => void;

  /** Resolves when Docker answers, at once where it does. @throws the signal's reason */
  available(signal: AbortSignal): Promise<void>;
}

/** The reader of a log took nothing for so long that the stream was given up; it may go on behind its last line. */
export class LogReaderBehind extends Error {
  override readonly name = 'LogReaderBehind';
}

export interface ProjectContainer {
  id: string;
  name: string;
  service: string;
  state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  /** `none` when the container has no health check. */
  health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  exitCode: number;
  oomKilled: boolean;
  /** Docker's own error of the last start, if any. */
  error: string;
  image: string;
  /** Milliseconds since the epoch; 0 when it does not run. */
  startedAt: number;
  restartCount: number;
  /** Ports of the container that are published on the host, lowest first. */
  publishedPorts: number[];
  /** Its limits; 0 for none. */
  memoryBytes: number;
  cpus: number;
  /** Addresses by network name. */
  addresses: Record<string, string>;
  /** When it last ended, milliseconds since the epoch; 0: never. */
  finishedAt?: number;
  /** Whether its main process has a terminal, and standard input that can be attached to. */
  tty?: boolean;
  stdinOpen?: boolean;
}

export interface ContainerUse {
  /** Without the cache of files that the kernel may drop. */
  memoryBytes: number;
  /** CPUs used right now. */
  cpus: number;
  /** CPU time since the container's start. */
  cpuSeconds: number;
}

export interface ConnectionCount {
  /** Another one whenever the container was started again, and the count anew with it. */
  life: string;
  /** TCP connections accepted since its start, those from itself (a health check's) too. */
  accepted: number;
  /** Open now, from outside the container. */
  open: number;
}

export interface ProjectEvent {
  service: string;
  containerId: string;
  /** `exec_*`: a command inside, such as each run of the health check. */
  action: 'start' | 'die' | 'oom' | 'destroy' | 'health_status' | 'exec_start' | 'exec_die';
  health?: 'healthy' | 'unhealthy' | 'starting';
  exitCode?: number;
  time: number;
}

export interface OwnedThing {
  kind: 'container' | 'network' | 'volume';
  name: string;
  id: string;
  envId: string;
}

export interface LogOptions {
  follow: boolean;
  /** Lines from the end; undefined: all. */
  tail?: number | undefined;
  /** Only what was written from then on, and before then. Milliseconds since the epoch. */
  since?: number | undefined;
  until?: number | undefined;
  /** With a full buffer, how long to wait for a reader that takes nothing. Default: without end. */
  giveUpAfterMs?: number;
}

export interface LogChunk {
  stream: 'stdout' | 'stderr';
  /** Docker's time of the line, nanoseconds kept as text (RFC 3339). */
  timestamp: string;
  /** One line with its line end, or a part of a very long one (at most 16 KiB and a line end). */
  data: Uint8Array;
}
