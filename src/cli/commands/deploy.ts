import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { DeepPartial, DeployEnvRequest } from '../../../clients/typescript/src/index.js';
import { appIdOf, idFrom, readAppFolder } from '../app-folder.js';
import { collected, cpuCount, durationMs, sizeBytes, variables } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { followOperation } from '../operation/follow.js';
import type { CommonOptions, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

export interface DeployOptions extends CommonOptions {
  app?: string;
  appId?: string;
  user?: string;
  system?: string;
  env?: string[];
  memory?: number;
  cpus?: number;
  ttl?: number;
  readyTimeout?: number;
  force?: boolean;
}

const HELP = `
The env is the user's, the system's and the app's: a second deployment of the same three answers the env as it is, or
replaces it when the app has changed. Ctrl-C leaves the deployment running; \`berth rm\` cancels and removes it.

Examples:
  berth deploy templates/apps/hello-node
  berth deploy --app shop --user alice --env MODE=demo`;

export function deployCommand(cli: Cli): Command {
  return newCommand('deploy', 'deploy an app as an env, with its progress')
    .argument('[folder]', 'the app: a folder with metadata.json, sent along')
    .option('--app <id>', 'deploy this app of the daemon instead of a folder')
    .option('--app-id <id>', "id for the folder's app (default: the folder's name)")
    .option('-u, --user <id>', 'the user it is for (default: your login name)')
    .option('-s, --system <id>', 'the system it is for (default: "default")')
    .option(
      '-e, --env <NAME=value>',
      'environment variable of the app; NAME alone takes it from here',
      collected,
    )
    .option('-m, --memory <size>', 'memory of its container (512m)', sizeBytes)
    .option('--cpus <number>', 'CPUs of its container (0.5)', cpuCount)
    .option('--ttl <time>', 'time to live (1h)', durationMs)
    .option('--ready-timeout <time>', 'time it may take to answer (30s)', durationMs)
    .option('--force', 'replace it even where it runs the same content')
    .addHelpText('after', HELP)
    .action(async (folder: string | undefined, options: DeployOptions) => {
      let envId: string | undefined;
      await cli.perform(
        options,
        async (session) => {
          const request = await deployRequest(session, folder, options);
          return followOperation(
            session,
            (client, resume) => client.deploy(request, resume),
            (event) => (envId = event.envId),
          );
        },
        {
          onInterrupt: () =>
            envId === undefined
              ? 'cancelled; if the request had arrived, `berth ps` shows the env'
              : `left: ${envId} is still being deployed. \`berth ps\` shows it, \`berth rm ${envId}\` cancels and removes it.`,
        },
      );
    });
}

/** What a deployment of a folder, or of an app of the daemon, is asked with. */
export async function deployRequest(
  { io, signal }: Session,
  folder: string | undefined,
  options: DeployOptions,
): Promise<DeepPartial<DeployEnvRequest>> {
  if ((folder === undefined) === (options.app === undefined)) {
    throw new UsageError('name either the folder of an app, or an app of the daemon with --app');
  }
  const limits = { memoryBytes: options.memory, cpus: options.cpus };
  return {
    userId: options.user ?? idFrom(io.env.USER || userInfo().username, 'default'),
    systemId: options.system,
    appId: options.app ?? options.appId ?? appIdOf(folder ?? ''),
    files: folder === undefined ? [] : await readAppFolder(folder, signal),
    env: variables(options.env ?? [], io.env),
    limits: options.memory === undefined && options.cpus === undefined ? undefined : limits,
    ttlMs: options.ttl,
    readyTimeoutMs: options.readyTimeout,
    force: options.force,
  };
}
