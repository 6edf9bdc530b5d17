import { Option, type Command } from 'commander';
import { OutputStream, StreamEnvLogsResponse } from '../../../clients/typescript/src/index.js';
import { collected, moment, wholeNumber } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { EXIT } from '../exit-codes.js';
import type { Output } from '../output/output.js';
import { printable, printableInColour } from '../output/style.js';
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
  raw?: boolean;
}

const STREAMS = { stdout: OutputStream.STDOUT, stderr: OutputStream.STDERR };
const APP = 'app';
const NEW_LINE = Buffer.from('\n');
/** The end of a line of an app that has a terminal, before the one that Docker cuts at. */
const CARRIAGE_RETURN = /\r+$/;

const HELP = `
On a terminal, control characters in what the app wrote are shown and not obeyed, but for colours: an app cannot move your
cursor, rename your window or write to your clipboard. --raw obeys them. Into a file or a pipe the bytes go as they are.`;

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
    .option('--raw', 'let what the app wrote control your terminal')
    .addHelpText('after', HELP)
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
            else await show(session, response, options);
          }
          return EXIT.ok;
        },
        { onInterrupt: () => '' },
      );
    });
}

/** Lines go where the app wrote them; what else there is to say goes to standard error. */
async function show(
  { out, err }: Session,
  { entry }: StreamEnvLogsResponse,
  { timestamps = false, raw = false }: LogsOptions,
): Promise<void> {
  switch (entry?.$case) {
    case 'line': {
      const { service, stream, time, text } = entry.value;
      const target = stream === OutputStream.STDERR ? err : out;
      const when = timestamps && time !== undefined ? `${time.toISOString()} ` : '';
      const who = service === APP || service === '' ? '' : `${printable(service)} | `;
      const written = raw ? text : shown(target, text);
      return target.bytes(Buffer.concat([Buffer.from(target.paint('dim', when + who)), written, NEW_LINE]));
    }
    case 'gap':
      return err.line(
        err.paint(
          'yellow',
          `-- lines of ${printable(entry.value.service)} are missing: ${printable(entry.value.reason)} --`,
        ),
      );
    case 'containerChanged': {
      const { service, running, exitCode } = entry.value;
      const what = running
        ? 'started'
        : `ended${exitCode === undefined ? '' : ` with exit code ${exitCode}`}`;
      return err.line(err.paint('dim', `-- ${printable(service)} ${what} --`));
    }
    case undefined:
      return;
  }
}

/** As it is, but for a terminal, which it must not control. */
function shown(target: Output, text: Buffer): Uint8Array {
  if (!target.isTerminal) return text;
  return Buffer.from(printableInColour(text.toString('utf8').replace(CARRIAGE_RETURN, '')));
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
