import type { Trx } from './schema.js';

/** The labels of an env in place of those it had. */
export async function replaceLabels(
  trx: Trx,
  envId: string,
  labels: Record<string, string> | undefined,
): Promise<void> {
  if (labels === undefined) return;
  await trx.deleteFrom('env_labels').where('env_id', '=', envId).execute();
  const rows = Object.entries(labels).map(([name, value]) => ({ env_id: envId, name, value }));
  if (rows.length > 0) await trx.insertInto('env_labels').values(rows).execute();
}
