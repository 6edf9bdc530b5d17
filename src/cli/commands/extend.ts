import type { Command } from 'commander';
import { Env } from '../../../clients/typescript/src/index.js';
import { durationMs } from '../arguments.js';
import { newCommand, type Cli } from '../command.js';
import { resolveEnvId } from '../env-id.js';
import { EXIT } from '../exit-codes.js';
import { formatSpan } from '../output/duration.js';
import type { CommonOptions } from '../session.js';

interface ExtendOptions extends CommonOptions {
  ttl?: number;
}

export function extendCommand(cli: Cli): Command {
  return newCommand('extend', 'give envs more time to live')
    .argument('<env...>', 'ids of envs, or the beginnings of ids')
    .option('--ttl <time>', 'time to live from now on (default: what it was deployed with)', durationMs)
    .action(async (envs: string[], options: ExtendOptions) => {
      await cli.perform(options, async ({ client, signal, out, json }) => {
        for (const given of envs) {
          const envId = await resolveEnvId(client, given, { signal });
          const { env } = await client.env.extendEnv({ envId, ttlMs: options.ttl ?? 0 }, { signal });
          if (json) out.json(env ? Env.toJSON(env) : {});
          else {
            const left = env?.expireTime ? env.expireTime.getTime() - Date.now() : undefined;
            out.line(
              left === undefined
                ? `${envId} has no end to its time`
                : `${envId} expires in ${formatSpan(left)}`,
            );
          }
        }
        return EXIT.ok;
      });
    });
}
