import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, messageOf } from '../../errors.js';
import type { PreparedDatabase } from '../../database/provider.js';
import type { AppSpec } from '../app/spec.js';
import { readCompose, type ComposeBounds } from '../compose/check.js';
import type { ComposeProject } from '../compose/model.js';
import { COMPOSE_TEMPLATE, composeEscape, composeView } from '../compose/view.js';
import type { Env } from '../model.js';
import type { StepContext, StepDeps, StepResult } from './context.js';
import { asDirectoryError } from './directory.js';

export const COMPOSE_FILE = 'docker-compose.yml';

/** What a compose file needs to know of its env. */
export type ComposeEnv = Pick<Env, 'id' | 'appDigest' | 'directory' | 'appDirectory' | 'restartPolicy'> & {
  port: number;
};

/** Renders the compose file, checks what came out, and writes it: what cannot be applied is never on disk. */
export async function renderCompose(deps: StepDeps, context: StepContext): Promise<StepResult> {
  const { env, deployment } = context;
  const { port } = env;
  if (!deployment || port === null) throw new Error('render_compose needs a deployment with a port');
  const path = composePath(env);
  const text = composeText(deps, { ...env, port }, deployment.spec, context.preparedDatabase);
  context.project = readCompose(text, path, composeBounds(env));
  try {
    // The app's variables may be secrets, so it is for Berth and root only.
    await writeFile(path, text, { mode: 0o600 });
  } catch (error) {
    throw asDirectoryError(error, env.directory);
  }
  return { detail: path };
}

/** The compose file of an env, not checked yet. @throws COMPOSE_INVALID when its template cannot be rendered */
export function composeText(
  deps: Pick<StepDeps, 'config' | 'subnets' | 'templates'>,
  env: ComposeEnv,
  spec: AppSpec,
  database: PreparedDatabase | undefined,
): string {
  const view = composeView({
    env,
    spec,
    appDirectory: env.appDirectory,
    port: env.port,
    bindHost: deps.config.bindHost,
    subnet: deps.subnets.forPort(env.port),
    database,
  });
  try {
    return deps.templates.render(COMPOSE_TEMPLATE, view, composeEscape);
  } catch (error) {
    const message = `the template ${COMPOSE_TEMPLATE}.mustache cannot be rendered: ${messageOf(error)}`;
    throw new BerthError('COMPOSE_INVALID', message, { cause: error });
  }
}

/** The project of an env that was deployed before, from its compose file; read once an operation. @throws COMPOSE_INVALID */
export async function loadProject(context: StepContext): Promise<ComposeProject> {
  if (context.project) return context.project;
  const path = composePath(context.env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const message = `the compose file of ${context.env.id} cannot be read: ${messageOf(error)}. Deploy the app anew`;
    throw new BerthError('COMPOSE_INVALID', message, { cause: error, metadata: { file: path } });
  }
  context.project = readCompose(text, path, composeBounds(context.env));
  return context.project;
}

/** Where the compose file of an env is. */
export function composePath(env: Pick<Env, 'directory'>): string {
  return join(env.directory, COMPOSE_FILE);
}

/** What the compose file of an env may refer to. */
export function composeBounds(env: Pick<Env, 'id' | 'directory' | 'appDirectory'>): ComposeBounds {
  return { envId: env.id, mountable: [env.directory, env.appDirectory] };
}
