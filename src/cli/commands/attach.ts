import type { Command } from 'commander';
import { wholeNumber } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { RUN_EXIT } from '../exit-codes.js';
import { ExecuteEvent } from '../../../clients/typescript/src/index.js';
import { showExecution } from '../output/execution-stream.js';
import type { CommonOptions } from '../session.js';

interface AttachOptions extends CommonOptions {
  afterSeq: number;
  verbose?: boolean;
}

export function attachCommand(cli: Cli): Command {
  return newCommand('attach', 'show the output of an execution, from its beginning; Ctrl-C leaves it running')
    .argument('<execution>', 'its id')
    .option('--after-seq <number>', 'only the events behind this one', wholeNumber, 0)
    .option('-v, --verbose', 'say on standard error what served it and what it used')
    .addHelpText('after', '\nThe exit code is as that of `berth run`. --json writes one event a line.')
    .action(async (executionId: string, options: AttachOptions) => {
      await cli.perform(
        options,
        async (session) => {
          const { afterSeq } = options;
          const events = session.client.attach({ executionId, afterSeq }, { signal: session.signal });
          if (!session.json) return showExecution(session, events, options.verbose === true);
          for await (const event of events) session.out.json(ExecuteEvent.toJSON(event));
          return 0;
        },
        { failed: RUN_EXIT.berth, onInterrupt: () => 'left; it runs on' },
      );
    });
}
