import { Command } from 'commander';
import { EXIT } from './exit-codes.js';
import type { CliIo } from './io.js';
import { inSession, type CommonOptions, type Session, type SessionOptions } from './session.js';

/** What command files are given: where they are attached and how they run. */
export interface Cli {
  readonly io: CliIo;
  /** Runs the work of a command; its exit code becomes the program's. */
  perform(
    options: CommonOptions,
    work: (session: Session) => Promise<number>,
    settings?: SessionOptions,
  ): Promise<void>;
}

/**
 * An action is given the options of the commands above it as well: `--address` and the like are read by the first of them
 * that knows it, wherever they stand, and must not be lost for `apps upload`.
 */
class CliCommand extends Command {
  override action(run: (this: this, ...args: never[]) => void | Promise<void>): this {
    return super.action((...args: unknown[]) => {
      // Commander's order: the arguments, the options, the command.
      const command = args.at(-1) as Command;
      return run.apply(this, [...args.slice(0, -2), command.optsWithGlobals(), command] as never[]);
    });
  }
}

/** A command with the options that all have. */
export function newCommand(name: string, summary: string, { connects = true } = {}): Command {
  const command = new CliCommand(name).description(summary);
  if (connects) {
    command
      .option('--address <host:port>', 'where berthd listens (BERTH_ADDRESS; default 127.0.0.1:50051)')
      .option('--tenant <id>', 'whom to act for (BERTH_TENANT; default "default")');
  }
  return command.option('--json', 'write JSON, for programs');
}

export class CommandLine implements Cli {
  exitCode: number = EXIT.ok;

  constructor(readonly io: CliIo) {}

  async perform(
    options: CommonOptions,
    work: (session: Session) => Promise<number>,
    settings?: SessionOptions,
  ): Promise<void> {
    this.exitCode = await inSession(this.io, options, work, settings);
  }
}
