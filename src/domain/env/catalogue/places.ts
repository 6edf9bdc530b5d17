import { lstat, readdir, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { BerthError } from '../../errors.js';
import { callerIdViolation } from '../../ids.js';

/** No id begins with a dot, so no app of the operator is in the way. */
const UPLOADS = '.uploads';
/** Names the version of an upload that is deployed. */
export const CURRENT = 'current';

export interface AppPlaces {
  owner: string;
  /** Folder of the operator's apps; uploads are kept in `.uploads` in it. */
  appsPath: string;
}

export interface AppName {
  tenant: string;
  appId: string;
}

/** The folder of an app, its links resolved. */
export interface AppFolder {
  /** An upload is kept as it was; the operator may change a folder of theirs at any time. */
  origin: 'upload' | 'operator';
  path: string;
}

/** Uploads of this daemon: `{tenant}/{app}/current` is a link to the version beside it that is deployed. */
export function uploadsPath({ appsPath, owner }: AppPlaces): string {
  return join(appsPath, UPLOADS, encodeURIComponent(owner));
}

/** Where archives arrive and are unpacked; on the same file system as what becomes of them. */
export function incomingPath(places: AppPlaces): string {
  return join(uploadsPath(places), '.incoming');
}

/** All versions of one upload. */
export function uploadPath(places: AppPlaces, { tenant, appId }: AppName): string {
  return join(uploadsPath(places), tenant, appId);
}

/**
 * The folder that an app id stands for: what the tenant uploaded, else the operator's, which is everybody's.
 * @param name checked already against the id grammar
 * @throws APP_NOT_FOUND
 */
export async function findAppFolder(places: AppPlaces, { tenant, appId }: AppName): Promise<AppFolder> {
  const upload = await folderWithin(uploadPath(places, { tenant, appId }), CURRENT);
  if (upload !== undefined) return { origin: 'upload', path: upload };
  const path = await folderWithin(places.appsPath, appId);
  if (path !== undefined) return { origin: 'operator', path };
  throw new BerthError(
    'APP_NOT_FOUND',
    `no app "${appId}": nothing was uploaded under this id, there is no folder of this name under the apps path, and the ` +
      'request has no files; ListApps shows those there are',
    { resource: { type: 'app', name: appId } },
  );
}

/** Ids of the apps that a tenant can deploy, in order; names that are no ids are left out. */
export async function appIds(places: AppPlaces, tenant: string): Promise<string[]> {
  const names = await Promise.all([namesIn(places.appsPath), namesIn(join(uploadsPath(places), tenant))]);
  const ids = new Set(names.flat().filter((name) => callerIdViolation('app_id', name) === undefined));
  return [...ids].sort((a, b) => (a < b ? -1 : 1));
}

/** The real path of a folder, which a link must not lead out of `base`. */
async function folderWithin(base: string, name: string): Promise<string | undefined> {
  try {
    const [top, folder] = await Promise.all([realpath(base), realpath(join(base, name))]);
    return folder.startsWith(top + sep) && (await lstat(folder)).isDirectory() ? folder : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw asAppsError(error, base);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw asAppsError(error, dirname(folder));
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(String(error.code))
  );
}

/** Anything the file system refused, as APPS_FOLDER; what is no error of it (a defect) stays as it is. */
export function asAppsError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const full = 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  const todo = full ? 'make room on that disk' : 'berthd must be able to read and write it';
  return new BerthError('APPS_FOLDER', `the folder of apps cannot be used (${error.message}): ${todo}`, {
    cause: error,
    metadata: { folder },
  });
}
