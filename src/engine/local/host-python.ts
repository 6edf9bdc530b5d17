import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { canBeSeen, type Bind } from './file-tree.js';

const STANDARD_DIRECTORIES = ['/usr/local/bin', '/usr/bin', '/bin'];
const ASK = 'import json, sys; print(json.dumps([sys.executable, sys.version, sys.prefix, sys.base_prefix]))';
const TIMEOUT_MS = 10_000;

/** The interpreter that sandboxes use. */
export interface HostPython {
  executable: string;
  /** Changes with the interpreter. */
  fingerprint: string;
  /** What it needs that is not among the host's standard directories. */
  binds: Bind[];
  /** Undefined when it is found on the standard PATH. */
  directory: string | undefined;
}

/**
 * The configured interpreter, or the distribution's. Inside an unpacked root file system it is only looked for, since
 * nothing of it runs on the host. @throws Error that says what is missing
 */
export async function findPython(configured: string, rootfs: string): Promise<HostPython> {
  const candidates =
    configured === '' ? STANDARD_DIRECTORIES.map((directory) => `${directory}/python3`) : [configured];
  for (const candidate of candidates) {
    const file = path.join(rootfs, candidate);
    if (!(await isExecutable(file))) continue;
    return rootfs === '' ? askPython(candidate) : inRootfs(candidate, file);
  }
  throw new Error(
    configured === ''
      ? `no python3 in ${STANDARD_DIRECTORIES.join(', ')}${rootfs === '' ? '' : ` of ${rootfs}`}; install it (apt-get install python3), or name one in local.python`
      : `local.python: ${path.join(rootfs, configured)} is no program`,
  );
}

async function askPython(candidate: string): Promise<HostPython> {
  let answer: string[];
  try {
    const { stdout } = await promisify(execFile)(candidate, ['-I', '-c', ASK], {
      timeout: TIMEOUT_MS,
      env: {},
    });
    answer = JSON.parse(stdout) as string[];
  } catch (error) {
    throw new Error(`${candidate} cannot be asked for its version: ${(error as Error).message}`);
  }
  const [executable = candidate, version = '', ...prefixes] = answer;
  const hidden = [executable, ...prefixes].find((file) => !canBeSeen(file));
  if (hidden !== undefined)
    throw new Error(
      `local.python: sandboxes have a ${path.dirname(hidden)} of their own; move the interpreter elsewhere`,
    );
  const outside = [...new Set(prefixes)].filter((prefix) => !/^\/usr(\/|$)/.test(prefix));
  return {
    executable,
    fingerprint: await fingerprint(executable, version),
    binds: outside.map((prefix) => ({ source: prefix, target: prefix })),
    directory: STANDARD_DIRECTORIES.includes(path.dirname(executable)) ? undefined : path.dirname(executable),
  };
}

async function inRootfs(candidate: string, file: string): Promise<HostPython> {
  return {
    executable: candidate,
    fingerprint: await fingerprint(file, ''),
    binds: [],
    directory: STANDARD_DIRECTORIES.includes(path.dirname(candidate)) ? undefined : path.dirname(candidate),
  };
}

async function fingerprint(executable: string, version: string): Promise<string> {
  const file = await realpath(executable);
  const { size, mtimeMs } = await stat(file);
  return createHash('sha256')
    .update(JSON.stringify([file, version, size, mtimeMs]))
    .digest('hex');
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
