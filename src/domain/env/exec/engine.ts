/** Runs commands in containers, and attaches to their main processes. All methods throw DOCKER_UNAVAILABLE. */
export interface ExecEngine {
  /**
   * Starts a command in a running container; resolves when it runs.
   * @throws ENV_STATE (the container does not run), ENV_CONTAINER_MISSING, INVALID_ARGUMENT (user, working directory)
   */
  run(containerId: string, command: ExecCommand, signal: AbortSignal): Promise<EngineProcess>;

  /**
   * Attaches to a running container's main process; what it writes from now on is the output.
   * @throws ENV_STATE, ENV_CONTAINER_MISSING
   */
  attach(containerId: string, size: TerminalSize | undefined, signal: AbortSignal): Promise<EngineProcess>;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface ExecCommand {
  argv: readonly string[];
  /** Absent: pipes, both outputs apart. */
  terminal: (TerminalSize & { term: string }) | undefined;
  env: Readonly<Record<string, string>>;
  /** Empty: the container's. */
  cwd: string;
  /** Empty: the container's. */
  user: string;
}

export interface ProcessOutput {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

export interface ProcessEnd {
  /** Undefined: not known. */
  exitCode: number | undefined;
  containerEnded: boolean;
  /** For people; empty: nothing to say. */
  message: string;
}

/** A process in a container, held by a connection. */
export interface EngineProcess {
  /** To be read once. Nothing is read ahead beyond a bounded buffer. Ends when the process or the container ended. */
  output(): AsyncIterable<ProcessOutput>;
  /** Resolves when so little is under way that more may be written. */
  write(bytes: Uint8Array): Promise<void>;
  /** End of input: end of file, or Ctrl-D on a terminal. Means nothing for a main process. */
  endInput(): Promise<void>;
  /** Means nothing without a terminal. */
  resize(size: TerminalSize): Promise<void>;
  /** To the command itself, not to its children. @throws EXEC_SIGNAL */
  signal(name: ProcessSignal): Promise<void>;
  /** How it ended; after the end of `output`. */
  end(): Promise<ProcessEnd>;
  /** Lets go of it: a command is killed with all processes of its session, a main process runs on. Idempotent. */
  close(): Promise<void>;
}

export const PROCESS_SIGNALS = [
  'SIGINT',
  'SIGTERM',
  'SIGKILL',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGSTOP',
  'SIGCONT',
] as const;

export type ProcessSignal = (typeof PROCESS_SIGNALS)[number];
