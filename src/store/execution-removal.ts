import type { EndedBody } from '../domain/sandbox/execution.js';
import type { DaemonLife } from '../domain/sandbox/execution-store.js';
import { plainText } from './rows/text.js';
import type { Trx } from './schema.js';

const UNENDED = ['queued', 'running'];

/** See ExecutionStore.endLost. */
export async function endLostExecutions(
  trx: Trx,
  of: DaemonLife,
  ended: EndedBody,
  now: number,
): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('executions')
    .set((eb) => ({
      state: 'ended',
      end_reason: ended.reason,
      ended: JSON.stringify(ended),
      ended_at: now,
      last_seq: eb('last_seq', '+', 1),
    }))
    .where('owner', '=', plainText(of.owner))
    .where('state', 'in', UNENDED)
    .where('life', '<>', of.life)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}

/** See ExecutionStore.removeOld. */
export async function removeOldExecutions(
  trx: Trx,
  of: DaemonLife,
  before: number,
  keep: number,
  limit: number,
): Promise<number> {
  const owner = plainText(of.owner);
  const { count } = await trx
    .selectFrom('executions')
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .where('owner', '=', owner)
    .executeTakeFirstOrThrow();
  const removable = trx
    .selectFrom('executions')
    .select('id')
    .where('owner', '=', owner)
    .where('state', 'not in', UNENDED)
    // Of this life: a repeat of the request id must still find it.
    .where((eb) => eb.or([eb('life', '<>', of.life), eb('request_id', 'is', null)]))
    .orderBy('created_at')
    .orderBy('id');
  const tooMany = Math.min(Math.max(Number(count) - keep, 0), limit);
  const surplus = tooMany === 0 ? [] : await removable.limit(tooMany).execute();
  const tooOld = await removable.where('created_at', '<', before).limit(limit).execute();
  const ids = [...new Set([...surplus, ...tooOld].map((row) => row.id))].slice(0, limit);
  if (ids.length === 0) return 0;
  await trx.deleteFrom('execution_labels').where('execution_id', 'in', ids).execute();
  await trx.deleteFrom('executions').where('id', 'in', ids).execute();
  return ids.length;
}
