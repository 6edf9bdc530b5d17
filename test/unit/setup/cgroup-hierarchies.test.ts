import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageRoot } from '../../../src/engine/docker/images/package-root.js';

// Plain JavaScript that runs before anything is installed; it has no types to import.
const { leftControllers } = (await import(
  pathToFileURL(path.join(packageRoot(), 'src/cli/setup/cgroup-hierarchies.mjs')).href
)) as { leftControllers(root: string): string[] };

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'berth-cgroups-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

it('version 2 alone has no controller that should be elsewhere, and neither has version 1', () => {
  expect(leftControllers(root)).toEqual([]);
  write('cgroup.controllers', 'cpu io memory\n');
  write('unified/cgroup.controllers', 'cpu io memory\n');
  expect(leftControllers(root)).toEqual([]);
});

it('beside version 1, what version 2 has is told by the names of version 1', () => {
  write('memory/memory.limit_in_bytes', '0\n');
  write('unified/cgroup.controllers', '\n');
  expect(leftControllers(root)).toEqual([]);
  write('unified/cgroup.controllers', 'io hugetlb misc\n');
  expect(leftControllers(root)).toEqual(['blkio', 'hugetlb', 'misc']);
});
