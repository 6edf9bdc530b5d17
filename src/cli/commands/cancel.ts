import type { Command } from 'commander';
import { Execution } from '../../../clients/typescript/src/index.js';
import { durationMs } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { describeEnd } from '../output/execution.js';
import type { CommonOptions } from '../session.js';

interface CancelOptions extends CommonOptions {
  grace?: number;
}

export function cancelCommand(cli: Cli): Command {
  return newCommand('cancel', 'end executions; those that have ended stay as they are')
    .argument('<execution...>', 'their ids')
    .option('--grace <time>', 'time between SIGTERM and the kill (none: killed at once)', durationMs)
    .action(async (ids: string[], options: CancelOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        for (const executionId of ids) {
          const request = { executionId, graceMs: options.grace ?? 0 };
          const { execution } = await client.sandbox.cancelExecution(request, { signal });
          if (execution === undefined) throw new Error('berthd answered without the execution');
          if (json) out.json(Execution.toJSON(execution));
          else out.line(`${executionId}  ${endOf(execution)}`);
        }
        return EXIT.ok;
      });
    });
}

function endOf({ ended, failureMessage }: Execution): string {
  return ended === undefined ? failureMessage : (describeEnd(ended, true) ?? '').replace(/^berth: /, '');
}
