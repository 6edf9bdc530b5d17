import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CgroupTree } from '../../../src/engine/local/cgroup-tree.js';

const LIMITS = {
  memoryBytes: 64 * 1024 * 1024,
  cpuMillis: 500,
  processes: 40,
  tmpfsBytes: 0,
  tmpfsInodes: 0,
  shmBytes: 0,
};

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'berth-cgroup-'));
});
afterEach(() => rm(root, { recursive: true }));

const text = (...file: string[]): Promise<string> => readFile(path.join(root, ...file), 'utf8');

describe('version 2', () => {
  it('hands the controllers down, and gives a sandbox memory without swap, processes and a short CPU period', async () => {
    await writeFile(path.join(root, 'cgroup.controllers'), 'cpu memory pids');
    const tree = await CgroupTree.open('system.slice/berth', 'me', root);
    for (const group of ['', 'system.slice', 'system.slice/berth', 'system.slice/berth/me'])
      expect(await text(group, 'cgroup.subtree_control')).toBe('+cpu +memory +pids');

    // The kernel makes the files of a group; a plain directory has those that are there before.
    const own = path.join(root, 'system.slice/berth/me/sbx_1');
    await mkdir(own);
    for (const file of ['memory.max', 'memory.swap.max']) await writeFile(path.join(own, file), '');
    const cgroup = await tree.create('sbx_1', LIMITS);
    expect(await text('system.slice/berth/me/sbx_1/memory.max')).toBe(String(LIMITS.memoryBytes));
    expect(await text('system.slice/berth/me/sbx_1/memory.swap.max')).toBe('0');
    expect(await text('system.slice/berth/me/sbx_1/pids.max')).toBe('40');
    expect(await text('system.slice/berth/me/sbx_1/cpu.max')).toBe('5000 10000');
    expect(cgroup.mounts()).toEqual([{ source: own, target: '/sys/fs/cgroup' }]);
    expect(await tree.list()).toEqual(['sbx_1']);

    await writeFile(path.join(own, 'memory.events'), 'oom 0\noom_kill 0\n');
    expect(cgroup.oomKilled).toBe(false);
    await writeFile(path.join(own, 'memory.events'), 'oom 3\noom_kill 2\n');
    expect(cgroup.oomKilled).toBe(true);
  });

  it('says which controllers cannot be had, and where', async () => {
    await writeFile(path.join(root, 'cgroup.controllers'), 'cpu');
    await writeFile(path.join(root, 'taken'), '');
    await expect(CgroupTree.open('taken', 'me', root)).rejects.toThrow(
      /controllers cpu, memory, pids cannot be enabled in .*taken/,
    );
  });
});

describe('version 1', () => {
  it('has a group in each hierarchy, and no swap beyond the memory where swap is accounted', async () => {
    for (const name of ['memory', 'pids', 'cpu', 'cpuacct']) await mkdir(path.join(root, name));
    const tree = await CgroupTree.open('berth', 'a/b', root);
    const own = path.join(root, 'memory/berth/a%2Fb/sbx_1');
    await mkdir(own);
    for (const file of ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'])
      await writeFile(path.join(own, file), '');
    const cgroup = await tree.create('sbx_1', LIMITS);
    expect(await text('memory/berth/a%2Fb/sbx_1/memory.memsw.limit_in_bytes')).toBe(
      String(LIMITS.memoryBytes),
    );
    expect(await text('pids/berth/a%2Fb/sbx_1/pids.max')).toBe('40');
    expect(await text('cpu/berth/a%2Fb/sbx_1/cpu.cfs_quota_us')).toBe('5000');
    expect(await readdir(path.join(root, 'cpuacct/berth/a%2Fb'))).toEqual(['sbx_1']);
    expect(cgroup.mounts().map(({ target }) => target)).toEqual([
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/cpuacct',
    ]);
  });

  it('says which controller is not mounted', async () => {
    await mkdir(path.join(root, 'memory'));
    await expect(CgroupTree.open('berth', 'me', root)).rejects.toThrow(/controller pids is not mounted/);
  });
});
