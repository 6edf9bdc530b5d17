import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, type FieldViolation } from '../../errors.js';
import { AppDigest, byPath } from './digest.js';
import { keptMode, type FileLimits } from './files.js';
import { appInvalid } from './metadata.js';

/** Never follow a link, never wait for a named pipe's writer. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CHUNK_BYTES = 256 * 1024;
const MAX_VIOLATIONS = 50;

/** One file or link of an app's folder; folders are in `FolderSurvey.folders`. */
export interface SurveyedFile {
  /** Relative, `/` between parts. */
  path: string;
  kind: 'file' | 'link' | 'other';
  sizeBytes: number;
  /** POSIX permission bits. */
  mode: number;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
  /** Of a link, as it is written; else empty. */
  linkTarget: string;
}

/** What is in an app's folder, by its directories alone; no file was opened. */
export interface FolderSurvey {
  /** In the order of whole paths; cut off where there are more than the limits allow. */
  files: SurveyedFile[];
  /** Names of the files at its top. */
  topLevelFiles: ReadonlySet<string>;
  /** Relative paths of its folders. */
  folders: ReadonlySet<string>;
  sizeBytes: number;
  /** The newest change of anything in it. Milliseconds since the epoch. */
  updatedAt: number;
  /** As `updatedAt`, by the time that nobody can set. */
  changedAt: number;
  /** Equal marks: nothing was changed in between, as far as the file system tells. */
  mark: string[];
  /** Rules that make it no app: special files, too many, too large. */
  violations: FieldViolation[];
}

/**
 * Looks at everything in a folder, bounded in files. Links are never followed: they count by their text, and inside the
 * container they resolve there.
 * @throws what the file system throws when the folder is gone
 */
export async function surveyFolder(root: string, limits: FileLimits): Promise<FolderSurvey> {
  const walk = new FolderWalk(root, limits);
  const info = await lstat(root);
  await walk.enter('', info);
  return walk.survey();
}

class FolderWalk {
  readonly #files: SurveyedFile[] = [];
  readonly #folders = new Set<string>();
  readonly #mark: string[] = [];
  readonly #violations: FieldViolation[] = [];
  #sizeBytes = 0;
  #updatedAt = 0;
  #changedAt = 0;

  constructor(
    private readonly root: string,
    private readonly limits: FileLimits,
  ) {}

  /** Answers false when there are too many files to go on. */
  async enter(folder: string, info: Stats): Promise<boolean> {
    this.#note(folder, info);
    const names = await readdir(join(this.root, folder));
    for (const name of names.sort(byPath)) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (this.#files.length + this.#folders.size >= this.limits.maxAppFiles) {
        const rule = `must have at most ${this.limits.maxAppFiles} files and folders`;
        this.#violations.push({ field: 'app', rule });
        return false;
      }
      const entry = await lstat(join(this.root, path)).catch(() => undefined);
      if (!entry) this.#refuse(path, 'cannot be read: it vanished, or its name is not UTF-8');
      else if (!entry.isDirectory()) await this.#add(path, entry);
      else {
        this.#folders.add(path);
        if (!(await this.enter(path, entry))) return false;
      }
    }
    return true;
  }

  survey(): FolderSurvey {
    if (this.#sizeBytes > this.limits.maxAppBytes) {
      const rule = `must be at most ${this.limits.maxAppBytes} bytes in all, is ${this.#sizeBytes}`;
      this.#violations.push({ field: 'app', rule });
    }
    const topLevel = this.#files.filter(({ path, kind }) => kind === 'file' && !path.includes('/'));
    return {
      files: this.#files.sort((a, b) => byPath(a.path, b.path)),
      topLevelFiles: new Set(topLevel.map(({ path }) => path)),
      folders: this.#folders,
      sizeBytes: this.#sizeBytes,
      updatedAt: this.#updatedAt,
      changedAt: this.#changedAt,
      mark: this.#mark,
      violations: this.#violations,
    };
  }

  async #add(path: string, info: Stats): Promise<void> {
    this.#note(path, info);
    const kind = info.isFile() ? 'file' : info.isSymbolicLink() ? 'link' : 'other';
    const linkTarget = kind === 'link' ? await readlink(join(this.root, path)) : '';
    const sizeBytes = kind === 'file' ? info.size : 0;
    const mode = info.mode & 0o777;
    this.#files.push({ path, kind, sizeBytes, mode, modifiedAt: info.mtimeMs, linkTarget });
    this.#sizeBytes += sizeBytes;
    if (kind === 'other')
      this.#refuse(path, 'must be a file, a folder or a link, not a device, pipe or socket');
  }

  #refuse(field: string, rule: string): void {
    if (this.#violations.length < MAX_VIOLATIONS) this.#violations.push({ field, rule });
  }

  #note(path: string, info: Stats): void {
    this.#updatedAt = Math.max(this.#updatedAt, info.mtimeMs);
    this.#changedAt = Math.max(this.#changedAt, info.ctimeMs);
    this.#mark.push(JSON.stringify([path, info.ino, info.mode, info.size, info.mtimeMs, info.ctimeMs]));
  }
}

/**
 * Digest of what a survey found, which must be without violations.
 * @throws APP_INVALID for what was changed since, or grew past the limit while it was read
 */
export async function digestOfFolder(
  root: string,
  survey: FolderSurvey,
  limits: FileLimits,
): Promise<string> {
  const digest = new AppDigest();
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let left = limits.maxAppBytes;
  for (const { path, kind, linkTarget } of survey.files) {
    if (kind === 'link') digest.link(path, linkTarget);
    else left = await hashFile(root, path, digest, buffer, left);
  }
  return digest.value();
}

async function hashFile(
  root: string,
  path: string,
  digest: AppDigest,
  buffer: Buffer,
  maxBytes: number,
): Promise<number> {
  let left = maxBytes;
  const file = await open(join(root, path), READ_FLAGS).catch((error: unknown) => {
    throw appInvalid({ field: path, rule: `was changed while it was read (${messageOf(error)}): try again` });
  });
  try {
    const info = await file.stat();
    digest.beginFile(path, keptMode(info.mode), info.size);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) return left;
      left -= bytesRead;
      if (left < 0)
        throw appInvalid({ field: 'app', rule: 'grew past its limit while it was read: try again' });
      digest.content(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
