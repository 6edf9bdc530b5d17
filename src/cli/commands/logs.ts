import { Option, type Command } from 'commander';
import { OutputStream, StreamEnvLogsResponse } from '../../../clients/typescript/src/index.js';
import { collected, moment, wholeNumber } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { EXIT } from '../exit-codes.js';
import { printable } from '../output/style.js';
import type { CommonOptions, Session } from '../session.js';

interface LogsOptions extends CommonOptions {
  follow?: boolean;
  tail?: number;
  since?: Date;
  until?: Date;
  service?: string[];
  contains?: string;
  stream?: keyof typeof STREAMS;
  timestamps?: boolean;
}

const STREAMS = { stdout: OutputStream.STDOUT, stderr: OutputStream.STDERR };
const APP = 'app';
const NEW_LINE = Buffer.from('\n');

export function logsCommand(cli: Cli): Command {
  return newCommand('logs', 'show what the containers of an env wrote')
    .argument('<env>', 'id of an env, or the beginning of one')
    .option('-f, --follow', 'stay and show what is new, over restarts and replacements')
    .option('-n, --tail <lines>', 'only the last so many lines', wholeNumber)
    .option('--since <time>', 'only from then on: 2026-01-31T10:00:00Z, or 10m for ten minutes ago', moment)
    .option('--until <time>', 'only before then, without --follow', moment)
    .option('--service <name>', 'only of this service (app, db), may be repeated; default: all', collected)
    .option('--contains <text>', 'only lines with this text')
    .addOption(new Option('--stream <output>', 'only this output').choices(Object.keys(STREAMS)))
    .option('-t, --timestamps', 'show when each line was written')
    .action(async (given: string, options: LogsOptions) => {
      await cli.perform(
        options,
        async (session) => {
          const { client, signal, out, err, json } = session;
          const envId = await resolveEnvId(client, given, { signal });
          const { follow, tail, since, until, contains, service: services } = options;
          const stream = options.stream && STREAMS[options.stream];
          const request = { envId, follow, tail, since, until, contains, services, stream };
          const onResume = (): void => {
            if (!json) err.line(err.paint('dim', '-- connection lost, reconnecting --'));
          };
          for await (const response of client.envLogs(request, { signal, onResume })) {
            if (json) out.json(entryJson(response));
            else await show(session, response, options.timestamps === true);
          }
          return EXIT.ok;
        },
        { onInterrupt: () => '' },
      );
    });
}

/** Lines go where the app wrote them, as they are; what else there is to say goes to standard error. */
async function show(
  { out, err }: Session,
  { entry }: StreamEnvLogsResponse,
  timestamps: boolean,
): Promise<void> {
  switch (entry?.$case) {
    case 'line': {
      const { service, stream, time, text } = entry.value;
      const target = stream === OutputStream.STDERR ? err : out;
      const when = timestamps && time !== undefined ? `${time.toISOString()} ` : '';
      const who = service === APP || service === '' ? '' : `${service} | `;
      return target.bytes(Buffer.concat([Buffer.from(target.paint('dim', when + who)), text, NEW_LINE]));
    }
    case 'gap':
      return err.line(
        err.paint(
          'yellow',
          `-- lines of ${entry.value.service} are missing: ${printable(entry.value.reason)} --`,
        ),
      );
    case 'containerChanged': {
      const { service, running, exitCode } = entry.value;
      const what = running
        ? 'started'
        : `ended${exitCode === undefined ? '' : ` with exit code ${exitCode}`}`;
      return err.line(err.paint('dim', `-- ${service} ${what} --`));
    }
    case undefined:
      return;
  }
}

/** A line's text as text; everything else as the contract's JSON. */
function entryJson(response: StreamEnvLogsResponse): unknown {
  const { entry, cursor } = response;
  if (entry?.$case !== 'line') return StreamEnvLogsResponse.toJSON(response);
  const { service, stream, time, text } = entry.value;
  return {
    cursor,
    service,
    stream: stream === OutputStream.STDERR ? 'stderr' : 'stdout',
    time: time?.toISOString(),
    text: text.toString('utf8'),
  };
}
