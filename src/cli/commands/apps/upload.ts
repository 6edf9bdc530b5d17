import type { Command } from 'commander';
import { basename } from 'node:path';
import { App } from '../../../../clients/typescript/src/index.js';
import { appArchive } from '../../app-archive.js';
import { appIdOf } from '../../app-folder.js';
import { newCommand, type Cli } from '../../command.js';
import { EXIT } from '../../exit-codes.js';
import { formatSize } from '../../output/size.js';
import type { CommonOptions } from '../../session.js';
import { showFindings } from './show.js';

interface UploadOptions extends CommonOptions {
  appId?: string;
  replace?: boolean;
}

const HELP = `
Links, devices, names that lead out of the app and bombs are refused, and so is an app that could not be deployed. Envs
that run an older version keep it until they are deployed anew.

Examples:
  berth apps upload shop                      # a folder with metadata.json
  berth apps upload shop-2.zip --app-id shop --replace
  berth deploy --app shop`;

export function uploadCommand(cli: Cli): Command {
  return newCommand('upload', 'store an app with the daemon: a folder, or a tar, tar.gz or zip archive')
    .argument('<path>', 'the folder or the archive')
    .option('--app-id <id>', 'id for the app (default: the name of the folder or archive)')
    .option('--replace', 'replace the app that has this id')
    .addHelpText('after', HELP)
    .action(async (path: string, options: UploadOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        const appId = options.appId ?? appIdOf(withoutEnding(path));
        const archive = await appArchive(path, signal);
        const app = await client.uploadApp({ appId, replace: options.replace }, archive, { signal });
        if (json) out.json({ app: App.toJSON(app) });
        else {
          out.line(`${app.appId} is stored: ${app.fileCount} files, ${formatSize(app.sizeBytes)}`);
          showFindings(out, app.findings);
          out.line(`\`berth deploy --app ${app.appId}\` deploys it`);
        }
        return EXIT.ok;
      });
    });
}

function withoutEnding(path: string): string {
  return /^.+\.(tar|tar\.gz|tgz|zip)$/i.test(basename(path))
    ? path.replace(/\.(tar|tar\.gz|tgz|zip)$/i, '')
    : path;
}
