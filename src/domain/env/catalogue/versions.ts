import {
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
  mkdir,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { treeSize } from '../../../lib/tree-size.js';
import { newId } from '../../ids.js';
import { syncFolder } from './archive/target.js';
import type { HeldApps } from './quota.js';
import { CURRENT, uploadPath, uploadsPath, type AppName, type AppPlaces } from './places.js';

/** What is kept of an upload beside its files. */
const recordSchema = z.object({
  digest: z.string(),
  uploadedAt: z.number(),
  /** Of the call that made it, so that its repeat is known even after a restart; empty: none was given. */
  requestId: z.string(),
  requestDigest: z.string(),
  /** What it counts for in its tenant's quota; absent in records of earlier versions of Berth. */
  bytes: z.number().optional(),
});
export type VersionRecord = z.output<typeof recordSchema>;

/**
 * How long a version is kept after it was last seen in use: a deployment that has read it is seen to use it only when it
 * is committed.
 */
const UNUSED_KEPT_MS = 10 * 60_000;

/**
 * The versions of uploaded apps. A version never changes: an upload makes a new one and then moves the link `current` to
 * it, in one step, so a deployment finds the old one whole or the new one whole. Envs mount the version that they were
 * deployed with; it goes when it is neither current nor mounted by any env.
 */
export class AppVersions {
  /** When a version that is not current was first found unused. */
  readonly #unusedSince = new Map<string, number>();

  constructor(
    private readonly places: AppPlaces,
    private readonly now: () => number,
  ) {}

  /** The record of the version that is deployed; undefined when nothing was uploaded under this id. */
  async current(name: AppName): Promise<VersionRecord | undefined> {
    const folder = uploadPath(this.places, name);
    const version = await currentOf(folder);
    return version === undefined ? undefined : await readRecord(folder, version);
  }

  /** Moves an unpacked app, which is on disk already, to its place and makes it the current version. */
  async publish(name: AppName, unpacked: string, record: VersionRecord): Promise<void> {
    const folder = uploadPath(this.places, name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const version = newId('app');
    await writeFile(recordOf(folder, version), JSON.stringify(record), {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
    await rename(unpacked, join(folder, version));
    const link = join(folder, `.${version}`);
    await symlink(version, link);
    await rename(link, join(folder, CURRENT));
    await syncFolder(folder);
  }

  /** What a tenant's uploads take, replaced versions that are still kept included. */
  async heldBy(tenant: string): Promise<HeldApps> {
    const held = { apps: 0, bytes: 0 };
    const root = join(uploadsPath(this.places), tenant);
    for (const app of await visibleIn(root)) {
      const folder = join(root, app);
      if ((await currentOf(folder)) !== undefined) held.apps++;
      for (const version of versionsAmong(await visibleIn(folder))) {
        const record = await readRecord(folder, version);
        held.bytes += record?.bytes ?? (await treeSize(join(folder, version)));
      }
    }
    return held;
  }

  /** Real paths of all versions of an app. */
  async foldersOf(name: AppName): Promise<string[]> {
    const folder = await realpath(uploadPath(this.places, name));
    return [...versionsAmong(await visibleIn(folder))].map((version) => join(folder, version));
  }

  /** Removes an app with all its versions, which nothing uses. From the first step on it cannot be named any more. */
  async remove(name: AppName): Promise<void> {
    const folder = uploadPath(this.places, name);
    await rm(join(folder, CURRENT), { force: true });
    await syncFolder(folder);
    await rm(folder, { recursive: true, force: true });
  }

  /**
   * Removes versions that are neither current nor in use, and what a crash left of an upload.
   * @param inUse folders that envs mount, or that deployments under way are about to
   * @returns what was removed
   */
  async sweep(inUse: ReadonlySet<string>): Promise<string[]> {
    const removed: string[] = [];
    // Envs have the real path of what they mount.
    const root = await realpath(uploadsPath(this.places)).catch(() => undefined);
    if (root === undefined) return removed;
    for (const tenant of await visibleIn(root)) {
      for (const app of await visibleIn(join(root, tenant))) {
        removed.push(...(await this.#sweepApp(join(root, tenant, app), inUse)));
      }
    }
    return removed;
  }

  async #sweepApp(folder: string, inUse: ReadonlySet<string>): Promise<string[]> {
    const removed: string[] = [];
    const current = await currentOf(folder);
    for (const version of versionsAmong(await readdir(folder))) {
      const path = join(folder, version);
      if (version === current || inUse.has(path)) {
        this.#unusedSince.delete(path);
        continue;
      }
      const since = this.#unusedSince.get(path) ?? this.now();
      this.#unusedSince.set(path, since);
      if (this.now() - since < UNUSED_KEPT_MS) continue;
      await rm(path, { recursive: true, force: true });
      await rm(recordOf(folder, version), { force: true });
      await rm(join(folder, `.${version}`), { force: true });
      this.#unusedSince.delete(path);
      removed.push(path);
    }
    return removed;
  }
}

/** Names of versions of which anything is there: the folder, its record, or the link that was to become `current`. */
function versionsAmong(names: readonly string[]): Set<string> {
  const versions = names.map((name) => /^\.?(app-[0-9a-f]{12})(?:\.json)?$/.exec(name)?.[1]);
  return new Set(versions.filter((version) => version !== undefined));
}

async function currentOf(folder: string): Promise<string | undefined> {
  try {
    return basename(await readlink(join(folder, CURRENT)));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function recordOf(folder: string, version: string): string {
  return join(folder, `${version}.json`);
}

async function readRecord(folder: string, version: string): Promise<VersionRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordOf(folder, version), 'utf8')));
  } catch (error) {
    // A record that somebody removed or broke is no reason to lose the app.
    if (error instanceof SyntaxError || error instanceof z.ZodError || isMissing(error)) return undefined;
    throw error;
  }
}

async function visibleIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
