import type { Command } from 'commander';
import {
  DestroyCause,
  PoolAlertKind,
  PoolEvent,
  PoolMissReason,
  PoolOutcome,
  PoolState,
} from '../../../../clients/typescript/src/index.js';
import { newCommand, type Cli } from '../../command.js';
import { EXIT } from '../../exit-codes.js';
import { formatDuration } from '../../output/duration.js';
import { word } from '../../output/execution.js';
import { printable } from '../../output/style.js';
import type { CommonOptions } from '../../session.js';

interface WatchOptions extends CommonOptions {
  executions?: boolean;
}

export function watchCommand(cli: Cli): Command {
  return newCommand('watch', 'show what happens in the pools, until it is interrupted')
    .argument('[pool]', 'only of this pool')
    .option('--executions', 'each acquire, return and reset too')
    .action(async (poolId: string | undefined, options: WatchOptions) => {
      await cli.perform(
        options,
        async ({ client, signal, out, json }) => {
          const request = { poolId: poolId ?? '', includeExecutions: options.executions === true };
          for await (const { event } of client.pool.watchPools(request, { signal })) {
            if (event === undefined) continue;
            if (json) out.json(PoolEvent.toJSON(event));
            else {
              const time = out.paint('dim', (event.time ?? new Date()).toISOString());
              out.line(`${time} ${event.poolId} ${printable(describe(event))}`);
            }
          }
          return EXIT.ok;
        },
        { onInterrupt: () => '' },
      );
    });
}

function describe({ event }: PoolEvent): string {
  switch (event?.$case) {
    case 'snapshot': {
      const { pool } = event.value;
      if (pool === undefined) return 'is there';
      const { availableSandboxes, inUseSandboxes, totalSandboxes, maxSize } = pool;
      return `${word(PoolState[pool.state])}: ${availableSandboxes} ready, ${inUseSandboxes} in use, ${totalSandboxes} of at most ${maxSize}`;
    }
    case 'initialised':
      return `its first sandboxes are ready (${event.value.availableSandboxes} in ${formatDuration(event.value.tookMs)})`;
    case 'stateChanged':
      return `is ${word(PoolState[event.value.to])} now, was ${word(PoolState[event.value.from])}: ${event.value.reason}`;
    case 'resized': {
      const { minSize, initialSize, maxSize } = event.value.settings ?? {};
      return `has new settings: least ${minSize}, ready ${initialSize}, most ${maxSize}`;
    }
    case 'sandboxCreated':
      return `${event.value.sandboxId} created in ${formatDuration(event.value.tookMs)}`;
    case 'sandboxAcquired': {
      const { sandboxId, acquireMs, poolOutcome, missReason } = event.value;
      const outcome =
        poolOutcome === PoolOutcome.HIT ? 'a hit' : `a miss: ${word(PoolMissReason[missReason])}`;
      return `${sandboxId} acquired in ${formatDuration(acquireMs)}, ${outcome}`;
    }
    case 'sandboxReset': {
      const { sandboxId, receipt } = event.value;
      const outcome = receipt?.ok === true ? '' : `, failed: ${receipt?.error ?? 'no reason given'}`;
      return `${sandboxId} reset in ${formatDuration(receipt?.tookMs ?? 0)}${outcome}`;
    }
    case 'sandboxReturned':
      return `${event.value.sandboxId} returned`;
    case 'sandboxDestroyed': {
      const { sandboxId, cause, message, executionCount } = event.value;
      const more = message === '' ? '' : `: ${message}`;
      return `${sandboxId} destroyed after ${executionCount} executions, ${word(DestroyCause[cause])}${more}`;
    }
    case 'alertRaised':
      return `! ${word(PoolAlertKind[event.value.kind])}: ${event.value.message}`;
    case 'alertCleared':
      return `${word(PoolAlertKind[event.value.kind])} no longer holds`;
    case 'createFailed':
      return `! a sandbox could not be created (${event.value.reason}): ${event.value.message}`;
    case 'removed':
      return 'removed';
    case undefined:
      return 'something that this version of berth does not know; update it';
  }
}
