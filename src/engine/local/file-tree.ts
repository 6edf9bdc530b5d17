import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import path from 'node:path';

/** What the sandbox sees, read-only, of a path of the host. */
export interface Bind {
  source: string;
  target: string;
}

export interface FileTree {
  binds: Bind[];
  symlinks: { to: string; at: string }[];
}

/** Programs and libraries of a host; everything else of it is out of sight. */
const HOST_DIRECTORIES = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** What programs and the dynamic linker look for; nothing that is a secret, and no names of the host's users. */
const HOST_ETC = [
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/localtime',
  '/etc/mime.types',
];
/** Interpreters of the distribution have their site configuration here. */
const HOST_ETC_PYTHON = /^python3(\.\d+)?$/;
/** What every sandbox has of its own, whatever the host or an unpacked root file system has there. */
const OWN_DIRECTORIES = new Set(['proc', 'sys', 'dev', 'tmp', 'workspace', 'berth', 'lost+found']);

/** The parts of the host's file system that an interpreter needs. `etc` holds Berth's files for `/etc`. */
export async function hostTree(etc: string): Promise<FileTree> {
  const tree = await topLevel('/', HOST_DIRECTORIES);
  for (const name of await readdir(etc))
    tree.binds.push({ source: path.join(etc, name), target: `/etc/${name}` });
  const python = (await namesIn('/etc'))
    .filter((name) => HOST_ETC_PYTHON.test(name))
    .map((name) => `/etc/${name}`);
  for (const file of [...HOST_ETC, ...python]) {
    if (await exists(file)) tree.binds.push({ source: file, target: file });
  }
  return tree;
}

/** All of an unpacked root file system, such as `docker export` gives. @throws Error when it cannot be read */
export async function rootfsTree(rootfs: string): Promise<FileTree> {
  return topLevel(
    rootfs,
    (await readdir(rootfs)).filter((name) => !OWN_DIRECTORIES.has(name)),
  );
}

/** Whether a sandbox can see the host's files of this path at all. */
export function canBeSeen(absolute: string): boolean {
  return !OWN_DIRECTORIES.has(absolute.split('/')[1] ?? '');
}

async function topLevel(root: string, names: string[]): Promise<FileTree> {
  const tree: FileTree = { binds: [], symlinks: [] };
  for (const name of names) {
    const source = path.join(root, name);
    const entry = await lstat(source).catch(() => undefined);
    // bin → usr/bin: bound, it would be a second way to the same files.
    if (entry?.isSymbolicLink() === true) tree.symlinks.push({ to: await readlink(source), at: `/${name}` });
    else if (entry !== undefined) tree.binds.push({ source, target: `/${name}` });
  }
  return tree;
}

function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
