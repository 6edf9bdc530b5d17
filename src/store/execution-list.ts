import type { PagePosition } from '../domain/page-token.js';
import type { ExecutionFilter, ExecutionRecord } from '../domain/sandbox/execution-record.js';
import { executionFromRow } from './rows/execution-row.js';
import { plainText } from './rows/text.js';
import type { Database } from './schema.js';

/** See ExecutionStore.list. */
export async function listExecutions(
  db: Database,
  filter: ExecutionFilter,
  after: PagePosition | undefined,
  limit: number,
): Promise<ExecutionRecord[]> {
  const { state, endReason, sandboxId, taskId, createdFrom, createdBefore, labels } = filter;
  let select = db.selectFrom('executions').selectAll().where('tenant', '=', filter.tenant);
  if (state !== undefined) select = select.where('state', '=', state);
  if (endReason !== undefined) select = select.where('end_reason', '=', endReason);
  if (sandboxId !== undefined) select = select.where('sandbox_id', '=', sandboxId);
  if (taskId !== undefined) select = select.where('task_id', '=', taskId);
  if (createdFrom !== undefined) select = select.where('created_at', '>=', createdFrom);
  if (createdBefore !== undefined) select = select.where('created_at', '<', createdBefore);
  for (const [name, value] of Object.entries(labels ?? {}))
    select = select.where('id', 'in', (eb) =>
      eb
        .selectFrom('execution_labels')
        .select('execution_id')
        .where('name', '=', plainText(name))
        .where('value', '=', plainText(value)),
    );
  if (after !== undefined)
    select = select.where((eb) =>
      eb.or([
        eb('created_at', '<', after.createdAt),
        eb.and([eb('created_at', '=', after.createdAt), eb('id', '<', after.id)]),
      ]),
    );
  const rows = await select.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
  return rows.map(executionFromRow);
}
