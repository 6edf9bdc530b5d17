import type { NotedActivity } from '../domain/env/store.js';
import { activityColumns } from './rows/env-row.js';
import type { Trx } from './schema.js';

/** See EnvStore.saveActivities. In the order of ids, as every transaction takes its locks. */
export async function saveActivities(trx: Trx, activities: readonly NotedActivity[]): Promise<void> {
  for (const { tenant, envId, activity } of inOrder(activities)) {
    await trx
      .updateTable('envs')
      .set(activityColumns(activity))
      .where('id', '=', envId)
      .where('tenant', '=', tenant)
      .where('live', '=', 1)
      .where((eb) => eb.or([eb('last_activity_at', 'is', null), eb('last_activity_at', '<', activity.at)]))
      .execute();
  }
}

/** See EnvStore.saveDiskBytes. */
export async function saveDiskBytes(trx: Trx, sizes: ReadonlyMap<string, number>): Promise<void> {
  for (const [envId, bytes] of [...sizes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await trx
      .updateTable('envs')
      .set({ disk_bytes: bytes })
      .where('id', '=', envId)
      .where('live', '=', 1)
      .execute();
  }
}

function inOrder<T extends { envId: string }>(things: readonly T[]): T[] {
  return [...things].sort((a, b) => (a.envId < b.envId ? -1 : 1));
}
