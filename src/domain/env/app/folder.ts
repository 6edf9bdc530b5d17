import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.js';
import type { LoadedApp } from './app.js';
import type { FileLimits } from './files.js';
import {
  appInvalid,
  MAX_METADATA_BYTES,
  METADATA_FILE,
  parseMetadata,
  type AppMetadata,
} from './metadata.js';
import { digestOfFolder, READ_FLAGS, surveyFolder } from './survey.js';

/**
 * Reads an app's folder: metadata and digest of everything in it. Links are never followed: they count by their text, and
 * inside the container they resolve there. Devices, pipes and sockets are refused.
 * @param path as `findAppFolder` gave it
 * @param override metadata in place of the folder's metadata.json
 * @throws APP_INVALID
 */
export async function loadFromFolder(
  path: string,
  override: AppMetadata | undefined,
  limits: FileLimits,
): Promise<LoadedApp> {
  const metadataText = override ? undefined : await readMetadata(path);
  const metadata = override ?? parseMetadata(metadataText ?? '');
  const survey = await surveyFolder(path, limits);
  if (survey.violations.length > 0) throw appInvalid(...survey.violations);
  const { topLevelFiles, folders } = survey;
  return {
    metadata,
    digest: await digestOfFolder(path, survey, limits),
    topLevelFiles,
    folders,
    source: { kind: 'folder', path, metadataText },
  };
}

/** The text of a folder's metadata.json. @throws APP_INVALID when it is missing, a link, or too large */
export async function readMetadata(folder: string): Promise<string> {
  let file;
  try {
    file = await open(join(folder, METADATA_FILE), READ_FLAGS);
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    throw appInvalid({
      field: METADATA_FILE,
      rule: missing ? 'is missing' : codeOf(error) === 'ELOOP' ? 'must not be a link' : messageOf(error),
    });
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) throw appInvalid({ field: METADATA_FILE, rule: 'must be a file' });
    if (info.size > MAX_METADATA_BYTES) {
      throw appInvalid({ field: METADATA_FILE, rule: `must be at most ${MAX_METADATA_BYTES} bytes` });
    }
    return (await file.readFile()).toString('utf8');
  } finally {
    await file.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
