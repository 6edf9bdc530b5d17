import { constants, createWriteStream } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { appInvalid } from '../env/app/metadata.js';
import type { DatabaseRequest } from './provider.js';

/** Taken when metadata names none and the app has it. */
export const DEFAULT_INIT_SQL = 'init.sql';

/**
 * Copies the app's SQL into `folder`, in the env's directory, where a reset finds what the deployment began with, whatever became of
 * the app's folder since.
 * @returns the copy's path; undefined when the app has no SQL
 * @throws APP_INVALID when the file that metadata names is not there, or a part of its path is a link
 */
export async function copyInitSql(
  request: DatabaseRequest,
  appDirectory: string,
  folder: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = request.initSql ?? DEFAULT_INIT_SQL;
  if (!(await isPlainFile(appDirectory, name))) {
    if (request.initSql === undefined) return undefined;
    throw appInvalid({
      field: 'metadata.json/database/initSql',
      rule: 'must be a file of the app, and no link',
    });
  }
  const copy = join(folder, DEFAULT_INIT_SQL);
  // MySQL's own user in the container reads it.
  const file = await open(join(appDirectory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  await pipeline(file.createReadStream(), createWriteStream(copy, { mode: 0o644 }), { signal });
  return copy;
}

/** Links are not followed anywhere on the way: they may lead out of the app. */
async function isPlainFile(folder: string, path: string): Promise<boolean> {
  const parts = path.split('/');
  for (let length = 1; length <= parts.length; length++) {
    const info = await lstat(join(folder, ...parts.slice(0, length))).catch(() => undefined);
    if (length === parts.length) return info?.isFile() ?? false;
    if (!info?.isDirectory()) return false;
  }
  return false;
}
