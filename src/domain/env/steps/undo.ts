import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../model.js';
import type { UndoName } from '../plan.js';
import { APP_FOLDER } from './app-steps.js';
import type { StepContext, StepDeps, UndoResult } from './context.js';
import { asDirectoryError, removeEnvDirectory } from './directory.js';
import { abandonDatabase, removeDatabase } from './database-steps.js';

export type UndoRun = (
  deps: StepDeps,
  context: StepContext,
  checkpoint: Checkpoint,
  signal: AbortSignal,
) => Promise<UndoResult>;

/**
 * What takes a step back. Each works from the committed env and checkpoint alone, so that it is the same right after the
 * failure and after a crash; and each may find that its step had not even begun, or that it was undone already.
 */
export const UNDO_RUNS: Record<UndoName, UndoRun> = {
  none: async () => ({ removed: [] }),

  release_port: async ({ ports }, { env }) => {
    const released = await ports.releaseAll(env.id);
    return {
      removed: released.map((port) => ({ kind: 'port', name: String(port) })),
      patch: { port: null, url: '' },
    };
  },

  remove_directory: async ({ config }, { env }) => {
    const { owner, basePath } = config;
    const removed = await removeEnvDirectory(env.directory, basePath, { envId: env.id, owner });
    return { removed: removed ? [{ kind: 'directory', name: env.directory }] : [] };
  },

  remove_app: async (_, { env }) => {
    const folder = join(env.directory, APP_FOLDER);
    try {
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      throw asDirectoryError(error, env.directory);
    }
    return { removed: [{ kind: 'directory', name: folder }] };
  },

  remove_database: async (deps, context, checkpoint, signal) => ({
    removed: await removeDatabase(deps, context, checkpoint.data, signal),
  }),

  abandon_database: async (deps, context, _, signal) => ({
    removed: await abandonDatabase(deps, context, signal),
  }),

  remove_networks: async ({ engine }, { env }, _, signal) => ({
    removed: await engine.remove(env.id, { volumes: false }, signal),
  }),

  remove_networks_and_volumes: async ({ engine }, { env }, _, signal) => ({
    removed: await engine.remove(env.id, { volumes: true }, signal),
  }),

  // Networks have an undo of their own, or stay.
  remove_containers: async ({ engine }, { env }, _, signal) => ({
    removed: await engine.remove(env.id, { volumes: false, networks: false }, signal),
    patch: { containerIds: [] },
  }),

  stop_containers: async ({ engine }, { env }, _, signal) => {
    await engine.stop(env.id, signal);
    return { removed: [] };
  },
};
