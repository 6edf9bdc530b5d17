import type { Command } from 'commander';
import { SharedDatabase, SharedDatabaseState } from '../../../clients/typescript/src/index.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { formatSpan } from '../output/duration.js';
import { word } from '../output/execution.js';
import type { Output } from '../output/output.js';
import { formatSize } from '../output/size.js';
import { printable } from '../output/style.js';
import { table } from '../output/table.js';
import type { CommonOptions } from '../session.js';

export function databaseCommand(cli: Cli): Command {
  const database = newCommand('database', 'show the database server that envs share').action(
    async (options: CommonOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        const answer = await client.env.getSharedDatabase({}, { signal });
        show(out, json, answer.database);
        return EXIT.ok;
      });
    },
  );
  database.addCommand(
    newCommand('ensure', 'make it when there is none, and wait until it answers').action(
      async (options: CommonOptions) => {
        await cli.perform(options, async ({ client, signal, out, json }) => {
          const answer = await client.env.ensureSharedDatabase({}, { signal });
          show(out, json, answer.database);
          return EXIT.ok;
        });
      },
    ),
  );
  return database;
}

function show(out: Output, json: boolean, database: SharedDatabase | undefined): void {
  if (json) return out.json({ database: database && SharedDatabase.toJSON(database) });
  if (database === undefined || database.state === SharedDatabaseState.ABSENT) {
    const making = database?.creationAllowed
      ? "it is made when the first env needs it, or by 'berth database ensure'"
      : 'and berthd may not make one (env.sharedDatabase.create)';
    return out.line(`there is no shared database; ${making}`);
  }
  const facts: [string, string][] = [
    ['state', word(SharedDatabaseState[database.state].replace('SHARED_DATABASE_STATE_', ''))],
    ['image', printable(database.image)],
    ['version', printable(database.version)],
    ['container', printable(database.containerName)],
    ['for envs', `${printable(database.host)}:${database.port}`],
    ['schemas', String(database.schemaCount)],
    ['connections', `${database.connections} of ${database.maxConnections}`],
    ['data', formatSize(database.dataBytes)],
    ['made', madeText(database.createTime)],
  ];
  for (const line of table(
    ['', ''],
    facts.filter(([, value]) => value !== '').map(([name, value]) => [out.paint('dim', name), value]),
  ).slice(1)) {
    out.line(line);
  }
  if (database.message !== '') out.line(`${out.paint('yellow', '!')} ${printable(database.message)}`);
}

function madeText(time: Date | undefined): string {
  return time === undefined ? '' : `${formatSpan(Date.now() - time.getTime())} ago`;
}
