import type { Command } from 'commander';
import { collected, variables } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { runExec } from '../exec/run-exec.js';
import { RUN_EXIT } from '../exit-codes.js';
import type { CommonOptions } from '../session.js';

interface ExecOptions extends CommonOptions {
  service?: string;
  tty?: boolean;
  stdin: boolean;
  user?: string;
  cwd?: string;
  env?: string[];
}

export function execCommand(cli: Cli): Command {
  return newCommand('exec', 'run a command in a container of an env, or a shell')
    .argument('<env>', 'id of an env, or the beginning of one')
    .argument('[command...]', 'the command and its arguments, after --; default: a shell')
    .option('--service <name>', 'in the container of this service (app, db); default: app')
    .option('-t, --tty', 'with a terminal; a shell gets one where there is one')
    .option('-n, --no-stdin', 'leave standard input alone')
    .option('-u, --user <name>', 'as this user of the container')
    .option('-w, --cwd <path>', 'in this directory')
    .option('-e, --env <name=value>', 'environment variable; NAME alone takes it from here', collected)
    .addHelpText(
      'after',
      '\nThe exit code is the command\'s own; 125 where there is none. What berth is given before "--" is its own:' +
        '\n  berth exec env-12ab --user root -- ls -l /app',
    )
    .action(async (given: string, argv: string[], options: ExecOptions) => {
      await cli.perform(
        options,
        async (session) => {
          const { io, client, signal } = session;
          const envId = await resolveEnvId(client, given, { signal });
          const { service, user, cwd, stdin } = options;
          const env = variables(options.env ?? [], io.env);
          const tty = options.tty ?? (argv.length === 0 && io.stdin.isTTY === true && stdin);
          return runExec(session, { envId, service, argv, env, cwd, user }, { stdin, tty });
        },
        { failed: RUN_EXIT.berth },
      );
    });
}
