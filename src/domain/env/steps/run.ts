import type { ProjectContainer } from '../engine.js';
import type { UndoneThing } from '../model.js';
import type { StepName } from '../plan.js';
import { claimPort } from './claim-port.js';
import { loadProject, renderCompose } from './compose-file.js';
import type { StepContext, StepDeps, StepResult } from './context.js';
import { createDirectory, copyApp, readAppMetadata } from './app-steps.js';
import { removeEnvDirectory } from './directory.js';
import { prepareDatabase, removeDatabase, resetDatabase } from './database-steps.js';
import { startContainers, verify, waitUntilReady } from './start-steps.js';

export type StepRun = (deps: StepDeps, context: StepContext, signal: AbortSignal) => Promise<StepResult>;

/**
 * What each step of a plan does. Every one may run again after a crash in its middle: what is there as wanted is kept,
 * what is gone already is no error.
 */
export const STEP_RUNS: Record<StepName, StepRun> = {
  check_image: async ({ engine }, { deployment }, signal) => {
    const image = needed(deployment).spec.image;
    const { digest } = await engine.requireImage(image, signal);
    return { detail: `${image} is here (${digest.slice(0, 19)})` };
  },

  remove_previous: async ({ engine }, { env, deployment, life }, signal) => {
    const { app, digest, spec } = needed(deployment);
    const { removed, notStopped } = await engine.down(env.id, { volumes: false }, signal);
    const appDirectory = app.source.kind === 'folder' ? app.source.path : env.appDirectory;
    return {
      detail: `removed ${listed(removed)}; named volumes are kept`,
      patch: { appDigest: digest, runtime: spec.runtime, appDirectory, containerIds: [], url: '', ...life },
      warning: warningOf(notStopped),
      removed,
    };
  },

  claim_port: claimPort,
  create_directory: createDirectory,
  read_metadata: readAppMetadata,
  copy_app: copyApp,
  prepare_database: prepareDatabase,
  render_compose: renderCompose,

  create_networks: async ({ engine }, context, signal) => {
    const made = await engine.createNetworksAndVolumes(await loadProject(context), signal);
    return { detail: listed(made), data: { made } };
  },

  create_containers: async ({ engine }, context, signal) => {
    const wanted = await loadProject(context);
    const containers = inOrder(await engine.createContainers(wanted, signal), wanted.services);
    return {
      detail: containers.map((container) => container.name).join(', '),
      data: { containers: containers.map(({ id, name }) => ({ id, name })) },
      patch: { containerIds: containers.map((container) => container.id) },
    };
  },

  start_containers: startContainers,
  wait_ready: waitUntilReady,
  verify,

  stop_containers: async ({ engine }, { env }, signal) => {
    await engine.stop(env.id, signal, { allOrNothing: true });
    return { detail: 'containers and data are kept' };
  },

  remove_containers: async ({ engine }, { env }, signal) => {
    const networks = env.state !== 'resetting';
    const { removed, notStopped } = await engine.down(env.id, { volumes: true, networks }, signal);
    return {
      detail: `${notStopped.length > 0 ? 'killed what did not stop by itself, ' : ''}removed ${listed(removed)}`,
      data: { removed },
      patch: { containerIds: [] },
      warning: warningOf(notStopped),
      removed,
    };
  },

  remove_database: async (deps, context, signal) => {
    const removed = await removeDatabase(deps, context, {}, signal);
    return { detail: listed(removed), patch: { database: null }, removed };
  },

  reset_database: async (deps, context, signal) => {
    const removed = await resetDatabase(deps, context, signal);
    return { detail: listed(removed), removed };
  },

  remove_directory: async ({ config }, { env }) => {
    const { owner, basePath } = config;
    const removed = await removeEnvDirectory(env.directory, basePath, { envId: env.id, owner });
    return {
      detail: removed ? env.directory : 'was gone',
      removed: removed ? [{ kind: 'directory', name: env.directory }] : [],
    };
  },

  release_port: async ({ ports }, { env }) => {
    const released = await ports.releaseAll(env.id);
    return {
      detail: released.length > 0 ? `port ${released.join(', ')}` : 'none was held',
      patch: { port: null },
      removed: released.map((port) => ({ kind: 'port', name: String(port) })),
    };
  },

  mark_running: async ({ config, engine }, context, signal) => {
    const { env } = context;
    const { services } = await loadProject(context);
    const published = services.some((service) => service.ports.length > 0);
    const url = published && env.port !== null ? `http://${config.serverHost}:${env.port}` : '';
    if (env.containerIds.length > 0) return { detail: url || 'a command-line app', patch: { url } };
    // Recovered from a crash between making the containers and telling the row.
    const containers = inOrder(await engine.inspect(env.id, signal), services);
    return {
      detail: url || 'a command-line app',
      patch: { url, containerIds: containers.map(({ id }) => id) },
    };
  },

  mark_stopped: async () => ({ detail: 'containers and data are kept' }),
  mark_destroyed: async () => ({ detail: 'nothing of it is left', patch: { url: '' } }),
};

/** The step before this one has left it; its absence is a defect of the plan. */
export function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a step of the plan is missing before this one');
  return value;
}

/** A container on its way to being removed had its chance. */
function warningOf(notStopped: string[]): StepResult['warning'] {
  return notStopped.length === 0
    ? undefined
    : { code: 'CONTAINER_STOP_FAILED', message: notStopped.join('; ') };
}

/** Containers in the order of their services, the app's first. */
function inOrder(containers: ProjectContainer[], services: readonly { name: string }[]): ProjectContainer[] {
  const rank = (service: string) =>
    service === 'app' ? -1 : services.findIndex(({ name }) => name === service);
  return [...containers].sort((a, b) => rank(a.service) - rank(b.service));
}

function listed(things: readonly UndoneThing[]): string {
  return things.length === 0 ? 'nothing' : things.map((thing) => `${thing.kind} ${thing.name}`).join(', ');
}
