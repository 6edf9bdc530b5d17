import {
  ExecEnvEvent,
  OutputStream,
  type DeepPartial,
  type ExecEnvEnded,
  type ExecEnvStart,
  type ExecStream,
} from '../../../clients/typescript/src/index.js';
import { RUN_EXIT } from '../exit-codes.js';
import { printable } from '../output/style.js';
import type { Session } from '../session.js';
import { DetachKeys } from './detach-keys.js';
import { Terminal } from './terminal.js';

export interface ExecSettings {
  /** Hand on standard input. */
  stdin: boolean;
  /** Ask for a terminal, and make ours its other end. */
  tty: boolean;
}

/** A prompt that the app wrote before is in no log until its line ends. */
const ATTACHED = 'attached; Ctrl-P Ctrl-Q leaves it running. Press Enter where you see no prompt.';

/** Runs a command in an env, or attaches, with our own input and output at its other end. Resolves to the exit code. */
export async function runExec(
  session: Session,
  start: DeepPartial<ExecEnvStart>,
  { stdin, tty }: ExecSettings,
): Promise<number> {
  const { client, io, signal } = session;
  const terminal = tty && stdin ? Terminal.open(io) : undefined;
  const size = { columns: terminal?.columns ?? 0, rows: terminal?.rows ?? 0 };
  try {
    const stream = client.exec(
      { ...start, ...(tty && { terminal: { size, term: io.env.TERM ?? '' } }) },
      { signal },
    );
    if (terminal) terminal.onResize = (columns, rows) => stream.resize(columns, rows);
    const detachKeys = start.attach === true && terminal ? new DetachKeys() : undefined;
    const input = stdin ? new Input(session, stream, detachKeys) : undefined;
    if (!input) stream.closeStdin();
    try {
      return await show(session, stream, () => input?.detached === true, detachKeys && ATTACHED);
    } finally {
      input?.close();
    }
  } finally {
    terminal?.close();
  }
}

/** `attached`: what is told when it has begun. */
async function show(
  session: Session,
  stream: ExecStream,
  isDetached: () => boolean,
  attached: string | undefined,
): Promise<number> {
  const { out, err, json } = session;
  try {
    for await (const event of stream) {
      if (json) out.json(ExecEnvEvent.toJSON(event));
      else if (event.event?.$case === 'started' && attached !== undefined)
        err.line(err.paint('dim', `${attached}\r`));
      else if (event.event?.$case === 'output') {
        const { stream: from, data } = event.event.value;
        await (from === OutputStream.STDERR ? err : out).bytes(data);
      }
      if (event.event?.$case === 'ended') return exitCodeOf(session, event.event.value);
    }
  } catch (error) {
    if (!isDetached()) throw error;
    if (!json) err.line('\r\ndetached; it runs on');
    return 0;
  }
  return RUN_EXIT.berth;
}

function exitCodeOf({ err, json }: Session, { exitCode, containerEnded, message }: ExecEnvEnded): number {
  const said = message === '' && containerEnded ? 'the container ended' : message;
  if (said !== '' && !json) err.line(err.paint('dim', printable(said)));
  return exitCode ?? RUN_EXIT.berth;
}

/** Hands standard input on, as fast as it is taken. */
class Input {
  detached = false;
  readonly #data = (chunk: Uint8Array): void => void this.#take(chunk);
  readonly #end = (): void => this.stream.closeStdin();

  constructor(
    private readonly session: Session,
    private readonly stream: ExecStream,
    private readonly detachKeys: DetachKeys | undefined,
  ) {
    const { stdin } = session.io;
    stdin.on('data', this.#data);
    stdin.on('end', this.#end);
    stdin.resume();
  }

  close(): void {
    const { stdin } = this.session.io;
    stdin.off('data', this.#data);
    stdin.off('end', this.#end);
    stdin.pause();
  }

  async #take(chunk: Uint8Array): Promise<void> {
    const { stdin } = this.session.io;
    const { bytes, detach } = this.detachKeys?.take(chunk) ?? { bytes: chunk, detach: false };
    stdin.pause();
    await this.stream.write(bytes);
    if (detach) {
      this.detached = true;
      this.stream.close();
    } else if (!this.session.signal.aborted) {
      stdin.resume();
    }
  }
}
