import { BerthError, invalid } from '../../errors.js';
import type { EngineProcess, ProcessEnd, ProcessOutput, TerminalSize } from './engine.js';
import { checkedSignal, checkedSize, MAX_STDIN_BYTES } from './request.js';

/** What a client sends while a command runs. */
export type ExecInput =
  | { kind: 'stdin'; data: Uint8Array }
  | { kind: 'stdin_closed' }
  | { kind: 'resize'; size: TerminalSize }
  | { kind: 'signal'; name: string };

export interface SessionSettings {
  containerId: string;
  service: string;
  /** What runs. */
  argv: readonly string[];
  attach: boolean;
  /** Time without input and output after which the session is ended. */
  idleMs: number;
  /** Aborted when the client goes away or berthd stops. */
  signal: AbortSignal;
  /** Called once, when it is over. */
  onClose: () => void;
}

/** A command, or a main process, and the client at its other end. Whatever ends one of them ends the session. */
export class ExecSession {
  readonly containerId: string;
  readonly service: string;
  readonly argv: readonly string[];
  readonly #abort = (): void => void this.close();
  #inputEnded = false;
  #failure: Error | undefined;
  #idle = false;
  #timer: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  constructor(
    private readonly process: EngineProcess,
    private readonly settings: SessionSettings,
  ) {
    ({ containerId: this.containerId, service: this.service, argv: this.argv } = settings);
    this.#timer = setTimeout(() => this.#endIdle(), settings.idleMs);
    settings.signal.addEventListener('abort', this.#abort, { once: true });
    if (settings.signal.aborted) this.#abort();
  }

  /** What it writes, to be read once, and then how it ended. @throws what `fail` was given, DOCKER_UNAVAILABLE */
  async *output(): AsyncGenerator<ProcessOutput, ProcessEnd> {
    try {
      for await (const chunk of this.process.output()) {
        this.#timer.refresh();
        yield chunk;
      }
    } catch (error) {
      if (this.#idle) return this.#idleEnd();
      throw this.#failure ?? error;
    }
    if (this.#failure) throw this.#failure;
    return this.#idle ? this.#idleEnd() : await this.process.end();
  }

  /** Resolves when the next one may come. @throws INVALID_ARGUMENT, EXEC_SIGNAL */
  async input(input: ExecInput): Promise<void> {
    this.#timer.refresh();
    switch (input.kind) {
      case 'stdin':
        if (input.data.length > MAX_STDIN_BYTES)
          throw invalid({ field: 'stdin', rule: `must be at most ${MAX_STDIN_BYTES} bytes a message` });
        if (this.#inputEnded) throw invalid({ field: 'stdin', rule: 'must not come after stdin_closed' });
        return await this.process.write(input.data);
      case 'stdin_closed':
        return await this.#endInput();
      case 'resize':
        return await this.process.resize(checkedSize(input.size));
      case 'signal': {
        if (this.settings.attach)
          throw invalid({ field: 'signal', rule: 'cannot go with attach; StopEnv stops an env' });
        return await this.process.signal(checkedSignal(input.name));
      }
    }
  }

  /** No more input comes at all. */
  async inputOver(): Promise<void> {
    await this.#endInput();
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new BerthError('INTERNAL', String(error));
    void this.close();
  }

  /** Lets go: a command is killed, an attached main process runs on. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #endInput(): Promise<void> {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    await this.process.endInput();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.settings.signal.removeEventListener('abort', this.#abort);
    try {
      await this.process.close();
    } finally {
      this.settings.onClose();
    }
  }

  #endIdle(): void {
    this.#idle = true;
    void this.close();
  }

  #idleEnd(): ProcessEnd {
    const minutes = Math.round(this.settings.idleMs / 60_000);
    const done = this.settings.attach ? 'detached' : 'ended';
    return {
      exitCode: undefined,
      containerEnded: false,
      message: `${done}, since nothing came or went for ${minutes} min`,
    };
  }
}
