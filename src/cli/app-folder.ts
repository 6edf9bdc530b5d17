import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileProblem } from './stdin.js';
import { UsageError } from './usage-error.js';

/** A file of an app as it travels in a request. */
export interface UploadedFile {
  /** Relative to the app, with `/` between parts. */
  path: string;
  content: Buffer;
  mode: number;
}

const MOST_FILES = 1_000;
const MOST_BYTES = 16 * 1024 * 1024;

/** Folders of version control, which no app needs to run. */
const LEFT_OUT = new Set(['.git', '.hg', '.svn']);

/**
 * Reads all files of an app.
 * @throws UsageError for what cannot be read or sent
 */
export async function readAppFolder(folder: string, signal: AbortSignal): Promise<UploadedFile[]> {
  const info = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${folder} cannot be read: ${fileProblem(error)}`);
  });
  if (!info.isDirectory())
    throw new UsageError(`${folder} is not a folder; an app is a folder with metadata.json`);
  const files: UploadedFile[] = [];
  let bytes = 0;
  for await (const path of walk(folder, '', signal)) {
    const full = join(folder, path);
    const content = await readFile(full, { signal }).catch((error: NodeJS.ErrnoException) => {
      if (signal.aborted) throw error;
      throw new UsageError(`${full} cannot be read: ${fileProblem(error)}`);
    });
    bytes += content.byteLength;
    files.push({ path, content, mode: (await stat(full)).mode & 0o777 });
    if (files.length > MOST_FILES || bytes > MOST_BYTES) {
      throw new UsageError(
        `${folder} is too large for one request (at most ${MOST_FILES} files and ${MOST_BYTES} bytes); store it with \`berth apps upload\` and deploy it with --app`,
      );
    }
  }
  if (!files.some(({ path }) => path === 'metadata.json')) {
    throw new UsageError(
      `${folder} has no metadata.json, which says how the app runs; templates/apps has examples`,
    );
  }
  return files;
}

/** Relative paths of an app's files, version control left out. @throws UsageError for links and special files */
export async function* walk(folder: string, below: string, signal: AbortSignal): AsyncGenerator<string> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    signal.throwIfAborted();
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!LEFT_OUT.has(entry.name)) yield* walk(folder, path, signal);
    } else if (entry.isFile()) yield path;
    else
      throw new UsageError(
        `${join(folder, path)} is a link or a special file; an app has files and folders only`,
      );
  }
}

/** The id that a folder's name gives an app: what the grammar of ids does not allow becomes `-`. */
export function appIdOf(folder: string): string {
  return idFrom(basename(resolve(folder)), 'app');
}

/** A text as an id of users, apps and the like; `fallback` where nothing of it can stay. */
export function idFrom(text: string, fallback: string): string {
  const id = text
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return id === '' ? fallback : id;
}
