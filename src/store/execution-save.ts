import type { ExecutionRecord } from '../domain/sandbox/execution-record.js';
import type { DaemonLife } from '../domain/sandbox/execution-store.js';
import { executionFromRow, executionToRow } from './rows/execution-row.js';
import { plainText } from './rows/text.js';
import type { Trx } from './schema.js';

/** Rows of one statement: SQLite takes 32,766 values in one, a row has 19. */
const ROWS_A_STATEMENT = 500;

/** See ExecutionStore.save. Whole rows, so that saving twice is the same as saving once. */
export async function saveExecutions(
  trx: Trx,
  of: DaemonLife,
  records: readonly ExecutionRecord[],
): Promise<void> {
  for (let i = 0; i < records.length; i += ROWS_A_STATEMENT) {
    const some = records.slice(i, i + ROWS_A_STATEMENT);
    await trx
      .replaceInto('executions')
      .values(some.map((record) => executionToRow(of, record)))
      .execute();
    await saveLabels(trx, some);
  }
}

/** See ExecutionStore.claim. The look before the insert spares the common case an error, and finds the winner of a race. */
export async function claimExecution(
  trx: Trx,
  of: DaemonLife,
  record: ExecutionRecord,
): Promise<ExecutionRecord> {
  const row = await trx
    .selectFrom('executions')
    .selectAll()
    .where('tenant', '=', record.tenant)
    .where('durable_request_id', '=', record.requestId)
    .executeTakeFirst();
  if (row !== undefined) return executionFromRow(row);
  await trx.insertInto('executions').values(executionToRow(of, record)).execute();
  await saveLabels(trx, [record]);
  return record;
}

/** Labels never change: what is there is right, and a retried batch writes the same. */
async function saveLabels(trx: Trx, records: readonly ExecutionRecord[]): Promise<void> {
  const labels = records.flatMap((record) =>
    Object.entries(record.labels).map(([name, value]) => ({
      execution_id: record.id,
      name: plainText(name),
      value: plainText(value),
    })),
  );
  for (let i = 0; i < labels.length; i += ROWS_A_STATEMENT)
    await trx
      .replaceInto('execution_labels')
      .values(labels.slice(i, i + ROWS_A_STATEMENT))
      .execute();
}
