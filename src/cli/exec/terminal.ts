import type { CliIo } from '../io.js';

/** The person's terminal while it belongs to a program elsewhere. Whoever opens it closes it, on every way out. */
export class Terminal {
  readonly #resized = (): void => this.onResize(this.columns, this.rows);
  onResize: (columns: number, rows: number) => void = () => {};

  private constructor(private readonly io: CliIo) {}

  /** Each key goes to the program as it is pressed, Ctrl-C too. Undefined where input or output is no terminal. */
  static open(io: CliIo): Terminal | undefined {
    if (io.stdin.isTTY !== true || io.stdout.isTTY !== true) return undefined;
    const terminal = new Terminal(io);
    io.stdin.setRawMode?.(true);
    // Node tells SIGWINCH so.
    io.stdout.on('resize', terminal.#resized);
    return terminal;
  }

  get columns(): number {
    return this.io.stdout.columns ?? 0;
  }

  get rows(): number {
    return this.io.stdout.rows ?? 0;
  }

  close(): void {
    this.io.stdout.off('resize', this.#resized);
    this.io.stdin.setRawMode?.(false);
  }
}
