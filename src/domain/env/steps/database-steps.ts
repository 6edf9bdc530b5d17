import { BerthError } from '../../errors.js';
import type { UndoneThing } from '../model.js';
import type { StepContext, StepDeps, StepResult } from './context.js';

/** Makes the app's database ready, before the compose file is rendered with its variables. */
export async function prepareDatabase(
  _: StepDeps,
  context: StepContext,
  signal: AbortSignal,
): Promise<StepResult> {
  const database = context.deployment?.database;
  const request = context.deployment?.app.metadata.database;
  if (!database || !request) throw new Error('prepare_database is for apps with a database');
  context.preparedDatabase = await database.prepare(context.env.id, request, signal);
  const { data } = context.preparedDatabase;
  return {
    detail: database.name,
    data,
    patch: { database: { provider: database.name, request: { ...request }, data } },
  };
}

/** Every provider removes what it has of the env: after a crash nobody may know which of them had begun. */
export async function removeDatabase(
  { databases }: StepDeps,
  { env }: StepContext,
  data: Record<string, unknown>,
  signal: AbortSignal,
): Promise<UndoneThing[]> {
  const removed: UndoneThing[] = [];
  for (const provider of databases.all) removed.push(...(await provider.remove(env.id, data, signal)));
  return removed;
}

/** Drops what the app wrote and loads its database anew, as it was recorded at the deployment. */
export async function resetDatabase(
  { databases }: StepDeps,
  { env }: StepContext,
  signal: AbortSignal,
): Promise<UndoneThing[]> {
  if (!env.database) return [];
  const { provider: name, request, data } = env.database;
  const provider = databases.all.find((one) => one.name === name);
  if (!provider) throw new BerthError('NOT_BUILT', `this berthd has no database provider "${name}"`);
  return await provider.reset(env.id, { ...request, provider: name }, data, signal);
}
