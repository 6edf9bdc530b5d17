import { chmod, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { keptMode, parentsOf, pathRule, type FileLimits } from '../../app/files.js';
import { archiveInvalid } from './refusal.js';

interface Named {
  path: string;
  kind: 'file' | 'folder';
}

/**
 * The folder that an archive is unpacked into: new, empty, and nobody else's. Only folders and regular files are ever made
 * in it, each file newly (`wx`), so no path in it leads elsewhere. Limits count what really arrives, never what a header
 * says.
 */
export class UnpackTarget {
  /** By the name in lower case and one Unicode form: what some file systems cannot tell apart. */
  readonly #named = new Map<string, Named>();
  readonly #folders: string[] = [];
  #bytes = 0;

  constructor(
    private readonly root: string,
    private readonly limits: FileLimits,
  ) {}

  /** How many entries there may be. */
  get maxEntries(): number {
    return this.limits.maxAppFiles;
  }

  /** Bytes that an archive of the largest app may unpack to, headers and padding included. */
  get maxUnpackedBytes(): number {
    return this.limits.maxAppBytes + this.limits.maxAppFiles * 2048 + 8 * 1024 * 1024;
  }

  /** @throws ARCHIVE_INVALID naming the rule that the folder breaks */
  async folder(name: string): Promise<void> {
    const path = plain(name);
    if (path === '') return;
    this.#check(name, path);
    await this.#parents(name, path);
    await this.#makeFolder(name, path);
  }

  /**
   * Writes one file.
   * @param declaredBytes its size, as the archive says
   * @throws ARCHIVE_INVALID naming the rule that it breaks
   */
  async file(
    name: string,
    { mode, declaredBytes }: { mode: number; declaredBytes: number },
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const path = plain(name);
    if (path === '' || name.endsWith('/')) throw archiveInvalid(name, 'must have the name of a file');
    this.#check(name, path);
    await this.#parents(name, path);
    this.#claim(name, { path, kind: 'file' });
    if (this.#bytes + declaredBytes > this.limits.maxAppBytes) throw this.#tooLarge(name);
    const file = await open(join(this.root, path), 'wx', 0o600);
    try {
      let bytes = 0;
      for await (const chunk of content) {
        bytes += chunk.length;
        this.#bytes += chunk.length;
        if (this.#bytes > this.limits.maxAppBytes) throw this.#tooLarge(name);
        await file.writeFile(chunk);
      }
      if (bytes !== declaredBytes) {
        throw archiveInvalid(name, `has ${bytes} bytes, though the archive says ${declaredBytes}`);
      }
      // The daemon's umask must not take from what the app was given.
      await file.chmod(keptMode(mode));
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  /** Puts the folders' lists of names on disk; the files are there already. */
  async sync(): Promise<void> {
    for (const path of ['', ...this.#folders]) await syncFolder(join(this.root, path));
  }

  #check(name: string, path: string): void {
    const rule = path.includes('\ufffd') ? 'must have a name in UTF-8' : pathRule(path);
    if (rule !== undefined) throw archiveInvalid(name, rule);
  }

  async #parents(name: string, path: string): Promise<void> {
    for (const parent of parentsOf(path)) await this.#makeFolder(name, parent);
  }

  async #makeFolder(name: string, path: string): Promise<void> {
    if (!this.#claim(name, { path, kind: 'folder' })) return;
    this.#folders.push(path);
    await mkdir(join(this.root, path));
    await chmod(join(this.root, path), 0o755);
  }

  /** Whether the name is new. A folder may be named again, by its own entry or by what is in it. */
  #claim(name: string, wanted: Named): boolean {
    const key = wanted.path.normalize('NFC').toLowerCase();
    const there = this.#named.get(key);
    if (there === undefined) {
      if (this.#named.size >= this.limits.maxAppFiles) {
        throw archiveInvalid(
          name,
          `is beyond the ${this.limits.maxAppFiles} files and folders that an app may have`,
        );
      }
      this.#named.set(key, wanted);
      return true;
    }
    if (there.path !== wanted.path) {
      throw archiveInvalid(name, `must differ from ${there.path} in more than case or Unicode form`);
    }
    if (there.kind === 'folder' && wanted.kind === 'folder') return false;
    if (there.kind === wanted.kind) throw archiveInvalid(name, 'must be in the archive only once');
    throw archiveInvalid(name, `must not make ${wanted.path} both a file and a folder`);
  }

  #tooLarge(name: string): Error {
    return archiveInvalid(name, `takes the app past ${this.limits.maxAppBytes} bytes`);
  }
}

/** Has the names in a folder on disk when it resolves. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Without the `./` that tar puts before names, and the `/` after those of folders; empty for the root itself. */
function plain(name: string): string {
  const path = name.replace(/^(?:\.\/+)+/, '').replace(/\/$/, '');
  return path === '.' ? '' : path;
}
