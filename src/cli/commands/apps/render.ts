import type { Command } from 'commander';
import {
  DeployEnvRequest,
  OperationOutcome,
  RenderAppResponse,
} from '../../../../clients/typescript/src/index.js';
import { collected } from '../../arguments.js';
import { newCommand, type Cli } from '../../command.js';
import { EXIT } from '../../exit-codes.js';
import { word } from '../../output/execution.js';
import { deployRequest, type DeployOptions } from '../deploy.js';
import { showFindings } from './show.js';

const HELP = `
Nothing is made or changed. The exit code is 1 when the deployment would be refused. The compose file goes to standard
output, everything else to standard error.

Examples:
  berth apps render templates/apps/hello-node
  berth apps render --app shop --user alice > docker-compose.yml`;

export function renderCommand(cli: Cli): Command {
  return newCommand('render', 'say what a deployment would do: steps, compose file, what is wrong')
    .argument('[folder]', 'the app: a folder with metadata.json, sent along')
    .option('--app <id>', 'try this app of the daemon instead of a folder')
    .option('--app-id <id>', "id for the folder's app (default: the folder's name)")
    .option('-u, --user <id>', 'the user it is for (default: your login name)')
    .option('-s, --system <id>', 'the system it is for (default: "default")')
    .option('-e, --env <NAME=value>', 'environment variable of the app', collected)
    .option('--force', 'as if it were to be replaced even where it runs the same content')
    .addHelpText('after', HELP)
    .action(async (folder: string | undefined, options: DeployOptions) => {
      await cli.perform(options, async (session) => {
        const { client, signal, out, err, json } = session;
        const deploy = DeployEnvRequest.fromPartial(await deployRequest(session, folder, options));
        const answer = await client.env.renderApp({ deploy }, { signal });
        if (json) out.json(RenderAppResponse.toJSON(answer));
        else {
          if (answer.composeYaml !== '') out.text(answer.composeYaml);
          const outcome =
            answer.outcome === OperationOutcome.UNSPECIFIED
              ? 'not known'
              : word(OperationOutcome[answer.outcome]);
          err.line(`outcome: ${outcome}; steps: ${answer.steps.join(', ') || 'none'}`);
          showFindings(err, answer.findings);
          err.line(answer.deployable ? 'it would be deployed' : 'it would be refused');
        }
        return answer.deployable ? EXIT.ok : EXIT.failed;
      });
    });
}
