import type { Command } from 'commander';
import { ExecuteEvent } from '../../../clients/typescript/src/index.js';
import { wholeNumber } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { runExec } from '../exec/run-exec.js';
import { RUN_EXIT } from '../exit-codes.js';
import { showExecution } from '../output/execution-stream.js';
import type { CommonOptions, Session } from '../session.js';

interface AttachOptions extends CommonOptions {
  afterSeq: number;
  verbose?: boolean;
  service?: string;
  stdin: boolean;
}

/** Ids of envs begin so; everything else is an execution's. */
const ENV = /^env-/;

export function attachCommand(cli: Cli): Command {
  return newCommand(
    'attach',
    'play with the app of an env (env-…), or show the output of an execution (exec-…); either runs on when you leave',
  )
    .argument('<id>', 'of an env, or the beginning of one from "env-" on; or of an execution')
    .option('--service <name>', 'env: attach to this service; default: app')
    .option('-n, --no-stdin', 'env: only show what it writes')
    .option('--after-seq <number>', 'execution: only the events behind this one', wholeNumber, 0)
    .option('-v, --verbose', 'execution: say on standard error what served it and what it used')
    .addHelpText(
      'after',
      '\nAn env: on a terminal each key goes to the app, Ctrl-C too, and Ctrl-P Ctrl-Q leaves it. What it wrote before is in' +
        '\n`berth logs`. The exit code is that of the container if it ends, 0 after leaving.' +
        '\nAn execution: from its beginning; Ctrl-C leaves it running. The exit code is as that of `berth run`.' +
        '\n--json writes one event a line.',
    )
    .action(async (id: string, options: AttachOptions) => {
      const attach = ENV.test(id) ? attachEnv : attachExecution;
      await cli.perform(options, (session) => attach(session, id, options), {
        failed: RUN_EXIT.berth,
        onInterrupt: () => 'left; it runs on',
      });
    });
}

async function attachEnv(session: Session, given: string, options: AttachOptions): Promise<number> {
  const { client, io, signal } = session;
  const { service, stdin } = options;
  const envId = await resolveEnvId(client, given, { signal });
  const tty = io.stdin.isTTY === true && io.stdout.isTTY === true;
  return runExec(session, { envId, service, attach: true }, { stdin, tty });
}

async function attachExecution(
  session: Session,
  executionId: string,
  { afterSeq, verbose }: AttachOptions,
): Promise<number> {
  const events = session.client.attach({ executionId, afterSeq }, { signal: session.signal });
  if (!session.json) return showExecution(session, events, verbose === true);
  for await (const event of events) session.out.json(ExecuteEvent.toJSON(event));
  return 0;
}
