import type { Command } from 'commander';
import { newCommand, type Cli } from '../../command.js';
import { EXIT } from '../../exit-codes.js';
import { printable } from '../../output/style.js';
import type { CommonOptions } from '../../session.js';

const HELP = `
An app that an env runs is kept: \`berth rm\` removes the env first. The operator's apps are theirs to remove.`;

export function removeAppCommand(cli: Cli): Command {
  return newCommand('rm', 'delete apps that were uploaded, with all their versions')
    .argument('<app...>', 'ids of apps')
    .addHelpText('after', HELP)
    .action(async (appIds: string[], options: CommonOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        for (const appId of appIds) {
          await client.env.deleteApp({ appId }, { signal });
          if (json) out.json({ deleted: appId });
          else out.line(`${printable(appId)} is deleted`);
        }
        return EXIT.ok;
      });
    });
}
