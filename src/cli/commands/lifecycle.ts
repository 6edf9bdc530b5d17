import type { Command } from 'commander';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { EXIT } from '../exit-codes.js';
import { followOperation } from '../operation/follow.js';
import type { CommonOptions } from '../session.js';

type Operation = 'stop' | 'start' | 'reset' | 'destroy';

export function stopCommand(cli: Cli): Command {
  return lifecycleCommand(cli, 'stop', 'stop', 'stop envs; their containers and data are kept');
}

export function startCommand(cli: Cli): Command {
  return lifecycleCommand(cli, 'start', 'start', 'start stopped envs');
}

export function resetCommand(cli: Cli): Command {
  return lifecycleCommand(cli, 'reset', 'reset', 'make the containers of envs anew and drop their data');
}

export function removeCommand(cli: Cli): Command {
  return lifecycleCommand(cli, 'rm', 'destroy', 'remove envs and all that they hold');
}

/** Does the same to each env in turn and fails when one of them failed. */
function lifecycleCommand(cli: Cli, name: string, operation: Operation, summary: string): Command {
  return newCommand(name, summary)
    .argument('<env...>', 'ids of envs, or the beginnings of ids')
    .action(async (envs: string[], options: CommonOptions) => {
      await cli.perform(options, async (session) => {
        let exitCode: number = EXIT.ok;
        for (const given of envs) {
          const envId = await resolveEnvId(session.client, given, { signal: session.signal });
          const code = await followOperation(session, (client, resume) => client[operation](envId, resume));
          if (code !== EXIT.ok) exitCode = code;
        }
        return exitCode;
      });
    });
}
