import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import {
  Pool,
  SandboxSpec,
  type PoolSettings,
  type WarmPoolRequest,
} from '../../../../clients/typescript/src/index.js';
import { durationMs, wholeNumber } from '../../arguments.js';
import { newCommand, type Cli } from '../../command.js';
import { EXIT } from '../../exit-codes.js';
import type { CommonOptions, Session } from '../../session.js';
import { UsageError } from '../../usage-error.js';
import { showPools } from './show.js';

interface SettingsOptions extends CommonOptions {
  preset?: string;
  min?: number;
  initial?: number;
  max?: number;
  idle?: number;
  health?: number;
  maxUses?: number;
  maxAge?: number;
  hold?: number;
  resetTimeout?: number;
}

export function resizeCommand(cli: Cli): Command {
  return withSettings(newCommand('resize', 'change the sizes and times of a pool, in force at once'))
    .argument('<pool>', 'id of a pool')
    .action(async (poolId: string, options: SettingsOptions) => {
      await cli.perform(options, async (session) => {
        const settings = settingsOf(options);
        if (options.preset === undefined && Object.values(settings).every((value) => value === undefined))
          throw new UsageError('nothing to change: give a preset, a size or a time (see --help)');
        const { pool } = await session.client.pool.resizePool(
          {
            requestId: randomUUID(),
            poolId,
            settings: settings as PoolSettings,
            preset: options.preset ?? '',
          },
          { signal: session.signal },
        );
        return showChanged(session, pool);
      });
    });
}

export function warmCommand(cli: Cli): Command {
  return withSettings(
    newCommand(
      'warm',
      'have a pool create sandboxes now, make one for a language, or bring a drained one back',
    ),
  )
    .argument('<pool>', 'id of a pool, or name of a language')
    .option('-n, --count <sandboxes>', 'how many shall be ready (default: its initial size)', wholeNumber)
    .option('--no-wait', 'do not wait until they are ready')
    .action(async (given: string, options: SettingsOptions & { count?: number; wait: boolean }) => {
      await cli.perform(options, async (session) => {
        const target: WarmPoolRequest['target'] = given.startsWith('pool-')
          ? { $case: 'poolId', value: given }
          : { $case: 'spec', value: SandboxSpec.fromPartial({ language: given }) };
        const { pool } = await session.client.pool.warmPool(
          {
            requestId: randomUUID(),
            target,
            count: options.count ?? 0,
            preset: options.preset ?? '',
            settings: settingsOf(options) as PoolSettings,
            noWait: !options.wait,
          },
          { signal: session.signal },
        );
        return showChanged(session, pool);
      });
    });
}

export function drainCommand(cli: Cli): Command {
  return newCommand('drain', 'let what runs in a pool finish, and destroy its sandboxes')
    .argument('<pool>', 'id of a pool')
    .option(
      '--timeout <time>',
      'how long what runs may take; then it is cancelled (default: 30s)',
      durationMs,
    )
    .option('--remove', 'remove the pool and its statistics afterwards')
    .action(async (poolId: string, options: CommonOptions & { timeout?: number; remove?: boolean }) => {
      await cli.perform(options, async (session) => {
        const { pool, cancelledExecutions } = await session.client.pool.drainPool(
          {
            requestId: randomUUID(),
            poolId,
            timeoutMs: options.timeout ?? 0,
            remove: options.remove === true,
          },
          { signal: session.signal },
        );
        if (cancelledExecutions > 0 && !session.json)
          session.err.line(`${cancelledExecutions} executions were cancelled`);
        return showChanged(session, pool);
      });
    });
}

export function recycleCommand(cli: Cli): Command {
  return newCommand('recycle', 'destroy a sandbox of a pool and replace it')
    .argument('<sandbox>', 'id of a sandbox; `berth pools <pool>` shows them')
    .option('--force', 'cancel what runs in it (default: wait for its end)')
    .action(async (sandboxId: string, options: CommonOptions & { force?: boolean }) => {
      await cli.perform(options, async (session) => {
        const { pool } = await session.client.pool.recycleSandbox(
          { requestId: randomUUID(), sandboxId, force: options.force === true },
          { signal: session.signal },
        );
        return showChanged(session, pool);
      });
    });
}

function withSettings(command: Command): Command {
  return command
    .option('--preset <name>', 'take sizes and times from it first: small, default or production')
    .option('--min <sandboxes>', 'sandboxes that are always kept', wholeNumber)
    .option('--initial <sandboxes>', 'sandboxes kept ready that nobody has had yet', wholeNumber)
    .option('--max <sandboxes>', 'sandboxes at most', wholeNumber)
    .option('--idle <time>', 'time without use after which it shrinks to its minimum', durationMs)
    .option('--health <time>', 'time between health checks', durationMs)
    .option('--max-uses <executions>', 'executions after which a sandbox is replaced', wholeNumber)
    .option('--max-age <time>', 'age at which a sandbox is replaced', durationMs)
    .option('--hold <time>', 'how long a used sandbox waits for its tenant', durationMs)
    .option('--reset-timeout <time>', 'how long a reset may take', durationMs);
}

function settingsOf(options: SettingsOptions): Partial<PoolSettings> {
  return {
    minSize: options.min,
    initialSize: options.initial,
    maxSize: options.max,
    idleTimeoutMs: options.idle,
    healthIntervalMs: options.health,
    maxUses: options.maxUses,
    maxAgeMs: options.maxAge,
    tenantHoldMs: options.hold,
    resetTimeoutMs: options.resetTimeout,
  };
}

function showChanged({ out, json }: Session, pool: Pool | undefined): number {
  if (pool === undefined) return EXIT.ok;
  if (json) out.json(Pool.toJSON(pool));
  else showPools(out, { pools: [pool], nextPageToken: '', poolEnabled: true, budget: undefined });
  return EXIT.ok;
}
