import { setTimeout as delay } from 'node:timers/promises';
import { BerthError, invalid } from '../../../domain/errors.js';
import type {
  EngineProcess,
  ExecCommand,
  ExecEngine,
  ProcessEnd,
  TerminalSize,
} from '../../../domain/env/exec/engine.js';
import type { DockerCalls } from '../docker-calls.js';
import { berthErrorFrom, translated, type FailureContext, isFailure } from '../docker-error.js';
import type { DockerStreams } from '../docker-streams.js';
import type { ContainerDetails } from '../worker/call-messages.js';
import { ContainerProcess } from './container-process.js';
import { HostSession } from './host-session.js';

/** Between two looks at a command that starts or ends; Docker tells neither to its own connection. */
const FIRST_LOOK_MS = 4;
const LONGEST_LOOK_MS = 100;
/** What Docker may take to start a command that nobody waits for any more. */
const BEGUN_WITHIN_MS = 5_000;
/** After the connection has ended, Docker may take some time to know the exit code: seconds where it is busy. */
const EXIT_CODE_WITHIN_MS = 10_000;
/** 128 + SIGKILL: a command's exit code when its container dies around it. */
const KILLED = 137;
/**
 * When a container ends, Docker ends the connections to it, and tells the ends of its commands and its own, in any order.
 * What ended and was not seen to be the end of the container may be so until then.
 */
const CONTAINER_END_WITHIN_MS = 5_000;
/** Ctrl-D. */
const END_OF_INPUT = 4;
/** What Docker writes to the connection where it cannot start a command. */
const BAD_USER =
  /unable to find (user|group)|no matching entries in (passwd|group) file|uids and gids must be/;
const BAD_CWD = /chdir to cwd|mkdir .*(not a directory|permission denied|read-only)/i;

export interface DockerExecEngineOptions {
  calls: DockerCalls;
  streams: DockerStreams;
  /** Whether Docker's processes are processes of this host, which is how a command is signalled. */
  sameHost: boolean;
}

/** Commands in containers of envs, through Docker's exec and attach. */
export class DockerExecEngine implements ExecEngine {
  constructor(private readonly options: DockerExecEngineOptions) {}

  async run(containerId: string, command: ExecCommand, signal: AbortSignal): Promise<EngineProcess> {
    const { calls } = this.options;
    const context = contextOf('running a command in', containerId, signal);
    const { terminal, env, cwd, user } = command;
    const variables = { ...(terminal && { TERM: terminal.term }), ...env };
    const container = await translated(context, () =>
      calls.run({ op: 'inspectContainer', id: containerId }, { signal }),
    );
    const { id } = await translated(context, () =>
      calls.run(
        {
          op: 'createExec',
          containerId,
          body: {
            Cmd: [...command.argv],
            AttachStdin: true,
            AttachStdout: true,
            AttachStderr: true,
            Tty: terminal !== undefined,
            Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
            ...(cwd === '' ? {} : { WorkingDir: cwd }),
            ...(user === '' ? {} : { User: user }),
          },
        },
        { signal },
      ),
    );
    const process = new ExecProcess(this.options, container, id, terminal !== undefined, context);
    await process.start(signal);
    if (terminal) await process.resize(terminal);
    return process;
  }

  async attach(
    containerId: string,
    size: TerminalSize | undefined,
    signal: AbortSignal,
  ): Promise<EngineProcess> {
    const context = contextOf('attaching to', containerId, signal);
    const container = await translated(context, () =>
      this.options.calls.run({ op: 'inspectContainer', id: containerId }, { signal }),
    );
    const process = new MainProcess(this.options, container, context);
    await process.start(signal);
    if (size) await process.resize(size);
    return process;
  }
}

/** A command that was started in a container. */
class ExecProcess extends ContainerProcess {
  #session: HostSession | undefined;
  #killedByUs = false;

  constructor(
    private readonly options: DockerExecEngineOptions,
    private readonly container: ContainerDetails,
    private readonly execId: string,
    private readonly tty: boolean,
    private readonly failing: FailureContext,
  ) {
    super(failing);
  }

  /** Resolves when it runs, or has run. @throws BerthError INVALID_ARGUMENT for a user or directory that there is not */
  async start(signal: AbortSignal): Promise<void> {
    const open = { kind: 'exec', execId: this.execId, tty: this.tty } as const;
    try {
      await this.connect(this.options.streams, open, signal);
      if (!(await this.#begun(signal))) await this.#refuse();
    } catch (error) {
      // A client that goes away just now must not leave behind what Docker had begun to start.
      const within = AbortSignal.timeout(BEGUN_WITHIN_MS);
      if (signal.aborted && !this.#session) await this.#begun(within).catch(() => undefined);
      await this.close();
      throw error;
    }
  }

  override async endInput(): Promise<void> {
    // A terminal's end of file is a character; closing the connection would hang it up.
    if (this.tty) await this.write(Uint8Array.of(END_OF_INPUT));
    else this.closeInput();
  }

  override async resize({ columns, rows }: TerminalSize): Promise<void> {
    if (!this.tty || this.isOver) return;
    await this.options.calls
      .run({ op: 'resizeExec', id: this.execId, columns, rows })
      .catch(ifStillThere(this.failing));
  }

  override async signal(name: NodeJS.Signals): Promise<void> {
    if (!this.options.sameHost)
      throw new BerthError(
        'EXEC_SIGNAL',
        'Docker runs on another host, and has no way to signal a command there; on a terminal, send Ctrl-C as input',
      );
    if (name === 'SIGKILL') this.#killedByUs = true;
    try {
      await this.#session?.signal(name);
    } catch (error) {
      throw new BerthError(
        'EXEC_SIGNAL',
        `berthd may not signal the command: ${String(error)}; run berthd as root`,
        {
          cause: error,
        },
      );
    }
  }

  override async end(): Promise<ProcessEnd> {
    const { calls } = this.options;
    const over = AbortSignal.timeout(EXIT_CODE_WITHIN_MS);
    const looked = await this.#look(({ exitCode }) => exitCode !== undefined, over).catch(() => undefined);
    const exitCode = looked?.exitCode;
    const mayBeContainers = exitCode === undefined || (exitCode === KILLED && !this.#killedByUs);
    const containerEnded = await hasEnded(
      calls,
      this.container,
      mayBeContainers ? CONTAINER_END_WITHIN_MS : 0,
    );
    return {
      exitCode,
      containerEnded,
      message: containerEnded ? 'the container ended' : '',
    };
  }

  override async close(): Promise<void> {
    try {
      if (this.options.sameHost) await this.#session?.kill();
    } finally {
      this.disconnect();
    }
  }

  /** Waits until it runs, or has run, or Docker has failed to start it. */
  async #begun(signal: AbortSignal): Promise<boolean> {
    const { pid } = await this.#look(({ pid, exitCode }) => pid > 0 || exitCode !== undefined, signal);
    if (pid > 0) this.#session = new HostSession(pid, this.container.id);
    return pid > 0;
  }

  /** Looks until it is as wanted. */
  async #look(
    isWanted: (seen: { pid: number; exitCode: number | undefined }) => boolean,
    signal: AbortSignal,
  ): Promise<{ pid: number; exitCode: number | undefined }> {
    for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)) {
      const seen = await translated(this.failing, () =>
        this.options.calls.run({ op: 'inspectExec', id: this.execId }, { signal }),
      );
      if (isWanted(seen)) return seen;
      await delay(pauseMs, undefined, { signal });
    }
  }

  /** It could not be started: Docker's words are its output. What the request has wrong is said as such. */
  async #refuse(): Promise<void> {
    const text = await this.textToTheEnd();
    if (BAD_USER.test(text))
      throw invalid({ field: 'start.user', rule: `is not known to the container: ${text}` });
    if (BAD_CWD.test(text)) throw invalid({ field: 'start.cwd', rule: `cannot be entered: ${text}` });
  }
}

/** The main process of a container. */
class MainProcess extends ContainerProcess {
  constructor(
    private readonly options: DockerExecEngineOptions,
    private readonly container: ContainerDetails,
    private readonly failing: FailureContext,
  ) {
    super(failing);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { id, tty } = this.container;
    await this.connect(this.options.streams, { kind: 'attach', containerId: id, tty }, signal);
  }

  /** Others may be attached as well, and the app goes on: its input stays open. */
  override async endInput(): Promise<void> {}

  override async resize({ columns, rows }: TerminalSize): Promise<void> {
    const { id, tty } = this.container;
    if (!tty || this.isOver) return;
    await this.options.calls
      .run({ op: 'resizeContainer', id, columns, rows })
      .catch(ifStillThere(this.failing));
  }

  override async signal(): Promise<void> {}

  override async end(): Promise<ProcessEnd> {
    const { calls } = this.options;
    const containerEnded = await hasEnded(calls, this.container, CONTAINER_END_WITHIN_MS);
    if (containerEnded) {
      const now = await lookAt(calls, this.container.id);
      const exitCode = now === undefined || now.state === 'running' ? undefined : now.exitCode;
      return { exitCode, containerEnded, message: '' };
    }
    return {
      exitCode: undefined,
      containerEnded,
      message: 'Docker ended the connection to the main process',
    };
  }

  override async close(): Promise<void> {
    this.disconnect();
  }
}

/** @param withinMs how long to wait for that */
async function hasEnded(calls: DockerCalls, container: ContainerDetails, withinMs: number): Promise<boolean> {
  const untilMs = Date.now() + withinMs;
  for (;;) {
    const now = await lookAt(calls, container.id);
    if (now === undefined || !runsStill(now, container)) return true;
    if (Date.now() >= untilMs) return false;
    await delay(LONGEST_LOOK_MS / 4);
  }
}

/** Undefined: it is gone. */
async function lookAt(calls: DockerCalls, id: string): Promise<ContainerDetails | undefined> {
  return await translated(contextOf('looking at', id), () =>
    calls.run({ op: 'inspectContainer', id }).catch((error: unknown) => {
      if (isFailure(error, 'not_found')) return undefined;
      throw error;
    }),
  );
}

/** In the same run. */
function runsStill(now: ContainerDetails, before: ContainerDetails): boolean {
  return now.state === 'running' && now.startedAt === before.startedAt;
}

/** A process that has just ended has no terminal to resize. */
function ifStillThere(context: FailureContext): (error: unknown) => null {
  return (error) => {
    if (isFailure(error, 'not_found', 'conflict', 'docker', 'bad_parameter')) return null;
    throw berthErrorFrom(error, context);
  };
}

function contextOf(doing: string, containerId: string, signal?: AbortSignal): FailureContext {
  return {
    doing: `${doing} container ${containerId.slice(0, 12)}`,
    refused: 'ENV_STATE',
    missing: 'ENV_CONTAINER_MISSING',
    signal,
  };
}
