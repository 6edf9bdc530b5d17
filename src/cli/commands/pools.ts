import type { Command } from 'commander';
import { GetPoolResponse, ListPoolsResponse } from '../../../clients/typescript/src/index.js';
import { newCommand, type Cli } from '../command.js';
import { EXIT } from '../exit-codes.js';
import type { CommonOptions } from '../session.js';
import { drainCommand, recycleCommand, resizeCommand, warmCommand } from './pools/change.js';
import { showPool, showPools } from './pools/show.js';
import { watchCommand } from './pools/watch.js';

const LARGEST_PAGE = 500;

export function poolsCommand(cli: Cli): Command {
  const pools = newCommand('pools', 'show and steer the pools of warm sandboxes')
    .argument('[pool]', 'id of a pool, for all about it')
    .action(async (poolId: string | undefined, options: CommonOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        if (poolId !== undefined) {
          const answer = await client.pool.getPool({ poolId }, { signal });
          if (json) out.json(GetPoolResponse.toJSON(answer));
          else if (answer.pool === undefined) out.line('pools are switched off');
          else showPool(out, answer.pool);
          return EXIT.ok;
        }
        const answer = await client.pool.listPools({ pageSize: LARGEST_PAGE }, { signal });
        if (json) out.json(ListPoolsResponse.toJSON(answer));
        else showPools(out, answer);
        return EXIT.ok;
      });
    });
  for (const command of [
    watchCommand(cli),
    resizeCommand(cli),
    warmCommand(cli),
    drainCommand(cli),
    recycleCommand(cli),
  ])
    pools.addCommand(command);
  return pools;
}
