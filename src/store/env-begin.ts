import type { Env, EnvEvent, EnvEventBody, EnvKey, EnvState, Operation } from '../domain/env/model.js';
import { BerthError } from '../domain/errors.js';
import { replaceLabels } from './env-labels.js';
import { appendEvents } from './event-log.js';
import { envFromRow, envToRow, patchToRow } from './rows/env-row.js';
import { operationToRow } from './rows/operation-row.js';
import type { Database, Trx } from './schema.js';

/** The live env that holds a key. */
export async function findLive(db: Database, key: EnvKey): Promise<Env | undefined> {
  const row = await db
    .selectFrom('envs')
    .selectAll()
    .where('tenant', '=', key.tenant)
    .where('user_id', '=', key.userId)
    .where('system_id', '=', key.systemId)
    .where('app_id', '=', key.appId)
    .where('live', '=', 1)
    .executeTakeFirst();
  return row && envFromRow(row);
}

/**
 * See EnvStore.claim. The UNIQUE keys decide; the looks before them spare the common case an error, and tell the second
 * attempt of a transaction that lost who won.
 */
export async function claim(
  trx: Trx,
  env: Env,
  operation: Operation,
  bodies: EnvEventBody[],
): Promise<{ env: Env; events: EnvEvent[] } | { conflict: Env }> {
  await assertRequestUnused(trx, operation);
  const holder = await findLive(trx, env);
  if (holder !== undefined) return { conflict: holder };
  const row = envToRow(env, bodies.length);
  await trx.insertInto('envs').values(row).execute();
  await replaceLabels(trx, env.id, env.labels);
  await trx.insertInto('operations').values(operationToRow(operation)).execute();
  const events = await appendEvents(trx, env.id, bodies.length, Date.now(), ofOperation(operation, bodies));
  return { env: envFromRow(row), events };
}

/** See EnvStore.beginOperation. */
export async function beginOperation(
  trx: Trx,
  operation: Operation,
  from: readonly EnvState[],
  state: EnvState,
  bodies: EnvEventBody[],
): Promise<{ env: Env; events: EnvEvent[] } | { refused: Env | undefined }> {
  await assertRequestUnused(trx, operation);
  const now = Date.now();
  const { numUpdatedRows } = await trx
    .updateTable('envs')
    .set((eb) => ({
      ...patchToRow({ stateReason: '', state }),
      updated_at: now,
      last_seq: eb('last_seq', '+', bodies.length),
    }))
    .where('id', '=', operation.envId)
    .where('tenant', '=', operation.tenant)
    .where('live', '=', 1)
    .where((eb) => (from.length === 0 ? eb.lit(false) : eb('state', 'in', from)))
    .executeTakeFirstOrThrow();
  const row = await trx
    .selectFrom('envs')
    .selectAll()
    .where('id', '=', operation.envId)
    .where('tenant', '=', operation.tenant)
    .where('live', '=', 1)
    .executeTakeFirst();
  if (numUpdatedRows === 0n || row === undefined) return { refused: row && envFromRow(row) };
  await trx.insertInto('operations').values(operationToRow(operation)).execute();
  const events = await appendEvents(trx, row.id, row.last_seq, now, ofOperation(operation, bodies));
  return { env: envFromRow(row), events };
}

export async function assertRequestUnused(trx: Trx, operation: Operation): Promise<void> {
  if (operation.requestId === '') return;
  const used = await trx
    .selectFrom('operations')
    .select('id')
    .where('tenant', '=', operation.tenant)
    .where('request_id', '=', operation.requestId)
    .executeTakeFirst();
  if (used === undefined) return;
  throw new BerthError(
    'REQUEST_ID_REUSED',
    `request_id ${operation.requestId} belongs to operation ${used.id} already; use a new one for a new request`,
    { metadata: { operation_id: used.id } },
  );
}

function ofOperation(
  operation: Operation,
  bodies: EnvEventBody[],
): { operationId: string; body: EnvEventBody }[] {
  return bodies.map((body) => ({ operationId: operation.id, body }));
}
