import type { Command } from 'commander';
import { App, GetAppResponse } from '../../../clients/typescript/src/index.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT } from '../exit-codes.js';
import type { CommonOptions } from '../session.js';
import { removeAppCommand } from './apps/remove.js';
import { renderCommand } from './apps/render.js';
import { showApp, showApps } from './apps/show.js';
import { uploadCommand } from './apps/upload.js';

interface AppsOptions extends CommonOptions {
  runtime?: string;
}

const LARGEST_PAGE = 500;

export function appsCommand(cli: Cli): Command {
  const apps = newCommand('apps', 'list the apps that can be deployed with `berth deploy --app`')
    .argument('[app]', 'id of an app, for all about it')
    .option('--runtime <name>', 'only of this runtime')
    .action(async (appId: string | undefined, options: AppsOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        if (appId !== undefined) {
          const answer = await client.env.getApp({ appId }, { signal });
          if (json) out.json(GetAppResponse.toJSON(answer));
          else showApp(out, answer);
          return EXIT.ok;
        }
        const all: App[] = [];
        let pageToken = '';
        do {
          const filter = { runtime: options.runtime ?? '', pageSize: LARGEST_PAGE, pageToken };
          const page = await client.env.listApps(filter, { signal });
          all.push(...page.apps);
          pageToken = page.nextPageToken;
        } while (pageToken !== '');
        if (json) out.json({ apps: all.map((app) => App.toJSON(app)) });
        else showApps(out, all);
        return EXIT.ok;
      });
    });
  for (const command of [uploadCommand(cli), removeAppCommand(cli), renderCommand(cli)])
    apps.addCommand(command);
  return apps;
}
