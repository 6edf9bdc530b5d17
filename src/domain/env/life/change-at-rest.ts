import type { ActiveOperations } from '../active-operations.js';
import type { EnvServices } from '../env-services.js';
import type { Env, EnvEventBody } from '../model.js';
import { keyText } from '../requests.js';
import { isAtRest } from '../state-refusal.js';
import type { EnvPatch } from '../store.js';

/** What is to be committed of an env as it is now; undefined: nothing. */
export type ChangeOf = (env: Env) => { patch: EnvPatch; events: EnvEventBody[] } | undefined;

/**
 * Changes the row of an env at rest, with the events that tell of it, under the lock of its key. An env that an operation
 * is under way for, or that is gone, is left alone: the operation finds out by itself.
 */
export async function changeAtRest(
  { locks, store, events }: EnvServices,
  active: ActiveOperations,
  stale: Env,
  changeOf: ChangeOf,
): Promise<void> {
  await locks.run(keyText(stale), async () => {
    const env = await store.get(stale.tenant, stale.id);
    if (!env || !isAtRest(env) || active.find(env.id)) return;
    const change = changeOf(env);
    if (!change) return;
    await events.commit({
      env: { id: env.id, patch: change.patch },
      events: change.events.map((body) => ({ envId: env.id, operationId: '', body })),
    });
  });
}
