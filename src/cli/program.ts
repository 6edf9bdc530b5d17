import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { shipped } from '../lib/package-root.js';
import { CommandLine } from './command.js';
import { appsCommand } from './commands/apps.js';
import { attachCommand } from './commands/attach.js';
import { cancelCommand } from './commands/cancel.js';
import { databaseCommand } from './commands/database.js';
import { deployCommand } from './commands/deploy.js';
import { doctorCommand } from './commands/doctor.js';
import { execCommand } from './commands/exec.js';
import { executionsCommand } from './commands/executions.js';
import { explainCommand } from './commands/explain.js';
import { extendCommand } from './commands/extend.js';
import { imagesCommand } from './commands/images.js';
import { removeCommand, resetCommand, startCommand, stopCommand } from './commands/lifecycle.js';
import { logsCommand } from './commands/logs.js';
import { poolsCommand } from './commands/pools.js';
import { psCommand } from './commands/ps.js';
import { runCommand } from './commands/run.js';
import { EXIT } from './exit-codes.js';
import type { CliIo } from './io.js';

/** Runs one command line, without the program's own name, and resolves to its exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const cli = new CommandLine(io);
  const program = new Command('berth')
    .description('Run untrusted code in sandboxes and deploy apps as environments, with berthd.')
    .version(version(), '-V, --version')
    .helpCommand(true)
    .showHelpAfterError('(--help says more)');
  for (const command of [
    runCommand(cli),
    executionsCommand(cli),
    attachCommand(cli),
    cancelCommand(cli),
    deployCommand(cli),
    psCommand(cli),
    logsCommand(cli),
    execCommand(cli),
    stopCommand(cli),
    startCommand(cli),
    resetCommand(cli),
    removeCommand(cli),
    extendCommand(cli),
    explainCommand(cli),
    databaseCommand(cli),
    appsCommand(cli),
    poolsCommand(cli),
    imagesCommand(cli),
    doctorCommand(cli),
  ]) {
    program.addCommand(command);
  }
  talkThrough(program, io);
  try {
    await program.parseAsync(args, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has said everything; 1 is its code for every mistake.
    return error.exitCode === 1 ? EXIT.usage : error.exitCode;
  }
}

/** Has commander throw instead of ending the process, and write where the CLI writes. */
function talkThrough(command: Command, io: CliIo): void {
  command.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
    getOutHelpWidth: () => io.stdout.columns || 100,
    getErrHelpWidth: () => io.stderr.columns || 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  command.showHelpAfterError('(--help says more)');
  // `run` has its own exit codes and comes with its own override.
  if (command.name() !== 'run') command.exitOverride();
  for (const child of command.commands) talkThrough(child, io);
}

function version(): string {
  return (JSON.parse(readFileSync(shipped('package.json'), 'utf8')) as { version: string }).version;
}
