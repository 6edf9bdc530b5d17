// Dependencies and build of this checkout, each done only when something it depends on has changed.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './host.mjs';
import { must } from './processes.mjs';

/** Runs `npm ci` unless node_modules is what the lock file says, however it came to be. */
export async function ensureDependencies(note = () => {}) {
  if (isInstalled()) return 'up to date';
  await must(['npm', 'ci', '--no-audit', '--no-fund'], {
    cwd: root,
    onLine: note,
    todo: 'Check that the npm registry can be reached (npm ping), then try again.',
  });
  return 'installed';
}

/** Compares with what npm itself notes down of an installation. Packages for other platforms are not there. */
function isInstalled() {
  const installed = packagesOf('node_modules/.package-lock.json');
  const locked = packagesOf('package-lock.json');
  if (installed === undefined || locked === undefined) return false;
  const same = (path) => installed[path]?.version === locked[path]?.version;
  return (
    Object.keys(installed).every(same) &&
    Object.entries(locked).every(([path, { optional }]) => path === '' || optional === true || same(path))
  );
}

function packagesOf(lockFile) {
  const text = readMark(join(root, lockFile));
  return text === undefined ? undefined : JSON.parse(text).packages;
}

/** Compiles to dist/ unless the sources are those of the last build. */
export async function ensureBuild(note = () => {}) {
  const mark = join(root, 'dist/.berth-sources');
  const digest = buildDigest();
  if (readMark(mark) === digest) return 'up to date';
  note('tsc');
  await must([join(root, 'node_modules/.bin/tsc'), '-p', 'tsconfig.json'], { cwd: root });
  // npx does that when it meets a checkout first, and not when dist/ is made anew.
  for (const program of Object.values(programs())) chmodSync(join(root, program), 0o755);
  writeFileSync(mark, digest);
  return 'compiled';
}

/** @returns {Record<string, string>} paths by the names that they are called by */
function programs() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).bin;
}

/** Names the state of the sources: a berthd started from another one is out of date. */
export function buildDigest() {
  const sources = ['src', 'clients/typescript'].flatMap((directory) =>
    existsSync(join(root, directory))
      ? readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
          .filter(
            (entry) =>
              entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'),
          )
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      : [],
  );
  return digestOf(['package-lock.json', 'tsconfig.json', ...sources.sort()]);
}

function digestOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths)
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  return hash.digest('hex');
}

function readMark(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
