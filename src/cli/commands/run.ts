import { CommanderError, Option, type Command } from 'commander';
import { Isolation } from '../../../clients/typescript/src/index.js';
import { collected, cpuCount, durationMs, sizeBytes, variables } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT, RUN_EXIT, runExitCode } from '../exit-codes.js';
import { resultJson } from '../output/execution.js';
import { showExecution } from '../output/execution-stream.js';
import { runRequest, type RunOptions } from '../run-request.js';
import type { Session } from '../session.js';

const ISOLATIONS: Record<string, Isolation> = {
  reuse: Isolation.REUSE,
  single_use: Isolation.SINGLE_USE,
  gvisor: Isolation.GVISOR,
};

const HELP = `
Exit codes: the program's own; 128+n when signal n ended it; ${RUN_EXIT.timeout} time-out; ${RUN_EXIT.berth} Berth could not run it or
lost it; ${RUN_EXIT.startFailed} it could not be started; ${RUN_EXIT.cancelled} cancelled; ${RUN_EXIT.outOfMemory} out of memory; ${RUN_EXIT.outputLimit} output limit reached.

Examples:
  berth run hello.py
  berth run --timeout 5s --memory 128m job.py -- --rows 10
  echo 'print(6 * 7)' | berth run -
  berth run --stdin data.csv --file helper.py --env MODE=fast job.py
  berth attach $(berth run --detach --label job=nightly job.py)`;

export function runCommand(cli: Cli): Command {
  return newCommand('run', 'run a program in a sandbox, with its output as it appears')
    .argument('<file>', 'the program; - reads it from standard input')
    .argument('[args...]', 'arguments of the program, after --')
    .option('-l, --language <name>', 'language (default: by the name of the file, else python)')
    .option('--language-version <version>', 'version of the language, such as 3.11')
    .option('--image <image>', 'container image to run in')
    .option('-e, --env <NAME=value>', 'environment variable; NAME alone takes it from here', collected)
    .option('-f, --file <path[:name]>', 'file to put beside the program', collected)
    .option('--stdin <file>', 'what the program reads from standard input; - passes ours on')
    .option('-t, --timeout <time>', 'longest time it may run (30s)', durationMs)
    .option('-m, --memory <size>', 'memory it may use (512m)', sizeBytes)
    .option('--cpus <number>', 'CPUs it may use (0.5)', cpuCount)
    .option('--max-output <size>', 'output after which it is ended (16m)', sizeBytes)
    .addOption(
      new Option('--isolation <kind>', 'how its sandbox is kept apart').choices(Object.keys(ISOLATIONS)),
    )
    .option('-d, --detach', 'say the id once it has started, and let it run on')
    .option('--request-id <id>', 'run once only: a repeat with the same id gets the first answer')
    .option('--durable', 'with --request-id: not even after a crash of berthd does it run twice')
    .option('--label <name=value>', 'label to find it by', collected)
    .option('-v, --verbose', 'say on standard error what served it and what it used')
    .addHelpText('after', HELP)
    .exitOverride((error) => {
      // The codes of mistakes must not look like the program's.
      throw error.exitCode === 0 ? error : new CommanderError(RUN_EXIT.berth, error.code, error.message);
    })
    .action(async (file: string, args: string[], options: RunOptions) => {
      const isolation = ISOLATIONS[options.isolation ?? ''] ?? Isolation.UNSPECIFIED;
      await cli.perform(
        options,
        async (session) => {
          const env = variables(options.env ?? [], cli.io.env);
          const request = await runRequest(session, file, args, { ...options, env });
          const whole = { ...request, isolation };
          if (options.detach === true) return detachedRun(session, whole);
          if (session.json) return collectRun(session, whole);
          const events = session.client.execute(whole, { signal: session.signal });
          return showExecution(session, events, options.verbose === true);
        },
        { failed: RUN_EXIT.berth },
      );
    });
}

type Request = Awaited<ReturnType<typeof runRequest>> & { isolation: Isolation };

async function collectRun({ client, signal, out }: Session, request: Request): Promise<number> {
  const result = await client.run(request, { signal });
  out.json(resultJson(result));
  return runExitCode(result.ended);
}

/** Says its id as soon as it has started, and leaves it running. */
async function detachedRun(session: Session, request: Request): Promise<number> {
  const { client, signal, out, json } = session;
  for await (const { event } of client.execute({ ...request, cancelOnDisconnect: false }, { signal })) {
    if (event?.$case !== 'started') continue;
    const { executionId } = event.value;
    if (json) out.json({ executionId });
    else out.line(executionId);
    return EXIT.ok;
  }
  return RUN_EXIT.berth;
}
