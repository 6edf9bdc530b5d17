import type { EnvEvent, OperationState } from '../domain/env/model.js';
import type { CheckpointChange, EnvPatch, EnvStore, NewEvent } from '../domain/env/store.js';
import { BerthError } from '../domain/errors.js';
import { assertRequestUnused } from './env-begin.js';
import { replaceLabels } from './env-labels.js';
import { appendEvents } from './event-log.js';
import { isEnded, patchToRow } from './rows/env-row.js';
import { operationToRow, UNFINISHED_STATES } from './rows/operation-row.js';
import type { CheckpointTable, Trx } from './schema.js';

type Change = Parameters<EnvStore['commit']>[0];

/**
 * See EnvStore.commit. Envs are touched first and in the order of their ids, then the operation, then the checkpoints: every
 * transaction of the store takes its locks in this order.
 */
export async function commit(trx: Trx, change: Change): Promise<EnvEvent[]> {
  const now = Date.now();
  const news = change.events ?? [];
  const envIds = new Set(news.map((event) => event.envId));
  if (change.env !== undefined) envIds.add(change.env.id);
  const appended = new Map<string, EnvEvent[]>();
  for (const envId of [...envIds].sort()) {
    const own = news.filter((event) => event.envId === envId);
    const patch = change.env?.id === envId ? change.env.patch : undefined;
    const lastSeq = await touchEnv(trx, envId, patch, own.length, now);
    appended.set(envId, await appendEvents(trx, envId, lastSeq, now, own));
  }
  if (change.newOperation !== undefined) {
    await assertRequestUnused(trx, change.newOperation);
    await trx.insertInto('operations').values(operationToRow(change.newOperation)).execute();
  }
  if (change.operation !== undefined) await changeOperation(trx, change.operation, now);
  for (const checkpoint of change.checkpoints ?? []) await saveCheckpoint(trx, checkpoint, now);
  return inOrderOf(news, appended);
}

/** Locks the env's row, reserves `eventCount` seq numbers, applies the patch. Resolves to the last of the numbers. */
async function touchEnv(
  trx: Trx,
  envId: string,
  patch: EnvPatch | undefined,
  eventCount: number,
  now: number,
): Promise<number> {
  const staysLive = patch?.state !== undefined && !isEnded(patch.state);
  let update = trx
    .updateTable('envs')
    .set((eb) => ({
      last_seq: eb('last_seq', '+', eventCount),
      ...(patch === undefined ? {} : { ...patchToRow(patch), updated_at: now }),
    }))
    .where('id', '=', envId);
  if (staysLive) update = update.where('live', '=', 1);
  const { numUpdatedRows } = await update.executeTakeFirstOrThrow();
  await replaceLabels(trx, envId, patch?.labels);
  const row = await trx
    .selectFrom('envs')
    .select(['last_seq', 'state'])
    .where('id', '=', envId)
    .executeTakeFirst();
  if (row === undefined)
    throw new BerthError('ENV_NOT_FOUND', `env ${envId} is not in the store`, {
      resource: { type: 'env', name: envId },
    });
  if (numUpdatedRows === 0n)
    throw new BerthError(
      'ENV_STATE',
      `env ${envId} is ${row.state} and cannot become ${patch?.state}: deploy it anew`,
      { resource: { type: 'env', name: envId } },
    );
  return row.last_seq;
}

async function changeOperation(
  trx: Trx,
  change: NonNullable<Change['operation']>,
  now: number,
): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('operations')
    .set({
      state: change.state,
      ended_at: isFinished(change.state) ? now : null,
      ...(change.error === undefined
        ? {}
        : { error: change.error === null ? null : JSON.stringify(change.error) }),
    })
    .where('id', '=', change.id)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) throw new BerthError('INTERNAL', `operation ${change.id} is not in the store`);
}

async function saveCheckpoint(trx: Trx, change: CheckpointChange, now: number): Promise<void> {
  const endedAt = change.state === 'intent' ? null : now;
  const { numUpdatedRows } = await trx
    .updateTable('checkpoints')
    .set({
      step: change.step,
      state: change.state,
      ended_at: endedAt,
      ...(change.data === undefined ? {} : { data: JSON.stringify(change.data) }),
    })
    .where('operation_id', '=', change.operationId)
    .where('ordinal', '=', change.ordinal)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows > 0n) return;
  const row: CheckpointTable = {
    operation_id: change.operationId,
    ordinal: change.ordinal,
    step: change.step,
    state: change.state,
    data: JSON.stringify(change.data ?? {}),
    started_at: now,
    ended_at: endedAt,
  };
  await trx.insertInto('checkpoints').values(row).execute();
}

function isFinished(state: OperationState): boolean {
  return !UNFINISHED_STATES.includes(state);
}

/** The appended events in the order in which they were given, whatever env each belongs to. */
function inOrderOf(news: readonly NewEvent[], appended: Map<string, EnvEvent[]>): EnvEvent[] {
  const queues = new Map([...appended].map(([envId, events]) => [envId, events.values()]));
  return news.flatMap((event) => {
    const next = queues.get(event.envId)?.next();
    return next === undefined || next.done === true ? [] : [next.value];
  });
}
