import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyInitSql, DEFAULT_INIT_SQL } from '../../database/init-sql.js';
import { DATABASE_SERVICE, SET_UP_LINES } from '../../database/standalone.js';
import { sqlFailureIn, sqlFileFailed } from '../../database/sql-error.js';
import { BerthError } from '../../errors.js';
import type { ComposeProject } from '../compose/model.js';
import type { EnvEngine } from '../engine.js';
import type { UndoneThing } from '../model.js';
import type { StepContext, StepDeps, StepResult } from './context.js';
import type { ProjectWatch } from './project-watch.js';
import { asDirectoryError } from './directory.js';

/** Folder of an env's directory for what belongs to its database. */
export const DATABASE_FOLDER = 'database';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 500;
const LOG_LINES = 200;
const LOG_LIMIT_MS = 2_000;

/** Makes the app's database ready, before the compose file is rendered with its variables. */
export async function prepareDatabase(
  _: StepDeps,
  context: StepContext,
  signal: AbortSignal,
): Promise<StepResult> {
  const { env, deployment } = context;
  const provider = deployment?.database;
  const request = deployment?.app.metadata.database;
  if (!provider || !request || env.port === null) {
    throw new Error('prepare_database is for apps with a database, after a port was claimed');
  }
  const directory = join(env.directory, DATABASE_FOLDER);
  let initSqlFile: string | undefined;
  try {
    // What an attempt with another port has left.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o755 });
    initSqlFile = await copyInitSql(request, env.appDirectory, directory, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw asDirectoryError(error, directory);
  }
  const before = env.database?.provider === provider.name ? env.database.data.schema : undefined;
  const target = { envId: env.id, port: env.port, directory, initSqlFile, keptSchema: before };
  const prepared = await provider.prepare(target, request, signal);
  context.preparedDatabase = prepared;
  return {
    detail: `${provider.name}: ${prepared.detail}`,
    data: prepared.data,
    patch: { database: { provider: provider.name, request: { ...request }, data: prepared.data } },
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

/** Takes back what a replacement had begun of a database; what was loaded is the user's and stays. */
export async function abandonDatabase(
  { databases }: StepDeps,
  { env }: StepContext,
  signal: AbortSignal,
): Promise<UndoneThing[]> {
  const removed: UndoneThing[] = [];
  for (const provider of databases.all) removed.push(...(await provider.abandon(env.id, signal)));
  return removed;
}

/** Brings up what the project needs from outside, such as the shared server after its container was removed. */
export async function tendDatabases(
  { databases }: StepDeps,
  project: ComposeProject,
  signal: AbortSignal,
): Promise<void> {
  if (!project.networks.some((network) => network.external)) return;
  for (const provider of databases.all) await provider.tend(signal);
}

/**
 * Waits until a service that others depend on is healthy, by running its own health check again and again: Docker's first
 * look comes after a whole interval.
 * @throws DATABASE_INIT_FAILED naming line and MySQL's error, DATABASE_UNAVAILABLE when it takes too long, and
 * `signal.reason`
 */
export async function untilServiceHealthy(
  { engine, config }: StepDeps,
  context: StepContext,
  watch: ProjectWatch,
  project: ComposeProject,
  service: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.timeout(config.databaseReadyTimeoutMs);
  const until = AbortSignal.any([signal, watch.failure, deadline]);
  let last = '';
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
      until.throwIfAborted();
      const result = await engine.checkHealth(project.name, service, until);
      if (result.healthy) return;
      last = result.output;
      await sleep(pauseMs, undefined, { signal: until });
    }
  } catch (error) {
    signal.throwIfAborted();
    if (watch.failure.aborted)
      throw await whyItEnded(engine, context, project, service, watch.failure.reason);
    if (!deadline.aborted) throw error;
    const message = `${service} is not healthy after ${config.databaseReadyTimeoutMs} ms`;
    throw new BerthError('DATABASE_UNAVAILABLE', last === '' ? message : `${message}: ${last}`);
  }
}

/** The server of an env ends when its set-up fails: its log has MySQL's error, counted from the line that Berth added. */
async function whyItEnded(
  engine: EnvEngine,
  { deployment }: StepContext,
  project: ComposeProject,
  service: string,
  reason: unknown,
): Promise<unknown> {
  if (service !== DATABASE_SERVICE) return reason;
  const lines = await logOf(engine, project.name, service);
  const failure = sqlFailureIn(lines.join('\n'));
  if (failure?.line === undefined) return ended(reason, lines);
  const file = deployment?.app.metadata.database?.initSql ?? DEFAULT_INIT_SQL;
  return sqlFileFailed(file, { ...failure, line: failure.line - SET_UP_LINES });
}

function ended(reason: unknown, lines: string[]): unknown {
  if (!(reason instanceof BerthError) || reason.reason !== 'APP_EXITED') return reason;
  const said = lines.filter((line) => /ERROR/i.test(line)).slice(-3);
  return new BerthError(
    'DATABASE_INIT_FAILED',
    `the database's server ended during its set-up${said.length > 0 ? `: ${said.join(' | ')}` : ''}`,
    { cause: reason, metadata: reason.metadata },
  );
}

async function logOf(engine: EnvEngine, projectName: string, service: string): Promise<string[]> {
  const lines: string[] = [];
  try {
    const container = (await engine.inspect(projectName)).find((one) => one.service === service);
    if (!container) return [];
    const options = { follow: false, tail: LOG_LINES };
    for await (const chunk of engine.logs(container.id, options, AbortSignal.timeout(LOG_LIMIT_MS))) {
      lines.push(Buffer.from(chunk.data).toString('utf8').trimEnd());
    }
  } catch {
    // What has come so far has to do.
  }
  return lines;
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
