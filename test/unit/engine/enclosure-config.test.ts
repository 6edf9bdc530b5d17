import { describe, expect, it } from 'vitest';
import type { SandboxSpec } from '../../../src/domain/sandbox/spec.js';
import { outerConfig, type EnclosureHost } from '../../../src/engine/local/enclosure-config.js';

const MIB = 1024 * 1024;
const SPEC: SandboxSpec = {
  image: 'x',
  imageDigest: 'sha256:0',
  languages: ['python'],
  limits: {
    memoryBytes: 64 * MIB,
    cpuMillis: 500,
    processes: 40,
    tmpfsBytes: 8 * MIB,
    tmpfsInodes: 100,
    shmBytes: MIB,
  },
  network: 'none',
  isolation: 'reuse',
};
const HOST: EnclosureHost = {
  bwrap: '/usr/bin/bwrap',
  tree: { binds: [{ source: '/usr', target: '/usr' }], symlinks: [{ to: 'usr/bin', at: '/bin' }] },
  programs: { runner: '/cache/r', enclosure: '/cache/e' },
  launchers: '/checkout/launchers',
  pythonDirectory: undefined,
  runnerUid: 199_999,
  executionUids: { first: 200_000, count: 10 },
};
const CGROUP = { mounts: [{ source: '/cg/memory/x', target: '/sys/fs/cgroup/memory' }], descriptors: 4 };

const config = (host = HOST, cgroup = CGROUP) =>
  outerConfig(SPEC, host, cgroup, (path) =>
    path === '/proc/kcore' ? 'file' : path === '/proc/acpi' ? 'directory' : undefined,
  );
const after = (list: string[], ...sequence: string[]): boolean =>
  list.some((_, at) => sequence.every((word, i) => list[at + i] === word));
const inner = (list: string[]): Record<string, unknown> =>
  JSON.parse(list.at(-1)!) as Record<string, unknown>;

describe('outerConfig', () => {
  it('makes every namespace anew but the user’s, which the outer stage maps', () => {
    const { arguments: list, ...rest } = config();
    for (const kind of ['pid', 'net', 'ipc', 'uts']) expect(list).toContain(`--unshare-${kind}`);
    expect(list).toEqual(expect.arrayContaining(['--as-pid-1', '--die-with-parent', '--clearenv']));
    expect(rest).toMatchObject({ runnerUid: 199_999, firstUid: 200_000, uidCount: 10, descriptors: 5 });
  });

  it('binds each source at its target, by its number on the stage, read-only, in directories that all can read', () => {
    const { sources, arguments: list } = config();
    expect(sources).toEqual(['/usr', '/cache/r', '/cache/e', '/checkout/launchers', '/cg/memory/x']);
    expect(after(list, '--ro-bind', '/tmp/1', '/berth/runner')).toBe(true);
    expect(after(list, '--ro-bind', '/tmp/4', '/sys/fs/cgroup/memory')).toBe(true);
    for (const parent of ['/berth', '/sys', '/sys/fs', '/sys/fs/cgroup'])
      expect(after(list, '--perms', '0755', '--dir', parent)).toBe(true);
    expect(list.filter((word) => word === '--bind')).toEqual([]);
  });

  it('seals the root last, after everything that is put into it', () => {
    const { arguments: list } = config();
    const sealed = list.lastIndexOf('--remount-ro');
    expect(list.slice(sealed, sealed + 3)).toEqual(['--remount-ro', '/', '--']);
  });

  it('masks of /proc what Docker masks, as far as this kernel has it', () => {
    const { arguments: list } = config();
    expect(after(list, '--ro-bind', '/dev/null', '/proc/kcore')).toBe(true);
    expect(after(list, '--tmpfs', '/proc/acpi', '--remount-ro', '/proc/acpi')).toBe(true);
    expect(list).not.toContain('/proc/keys');
  });

  it('has no terminals', () => {
    expect(config().arguments.filter((word) => /pts|ptmx/.test(word) || word === '--dev')).toEqual([]);
  });

  it('leaves limits of the whole sandbox to its cgroups', () => {
    expect(inner(config().arguments)).toMatchObject({
      cgroupFds: [4, 5, 6, 7],
      rlimits: [
        { resource: 4, value: 0 },
        { resource: 7, value: 1024 },
      ],
      tmpfs: [
        { path: '/tmp', bytes: 8 * MIB, inodes: 100 },
        { path: '/workspace', bytes: 8 * MIB, inodes: 100 },
        { path: '/dev/shm', bytes: MIB, inodes: 100 },
      ],
      command: ['/berth/runner', 'python'],
    });
  });

  it('limits each process where there are none', () => {
    const { arguments: list } = config(HOST, { mounts: [], descriptors: 0 });
    expect(inner(list)).toMatchObject({
      cgroupFds: [],
      rlimits: expect.arrayContaining([
        { resource: 6, value: 40 },
        { resource: 2, value: 64 * MIB },
      ]) as unknown,
    });
  });

  it('finds an interpreter of its own first', () => {
    const { arguments: list } = config({ ...HOST, pythonDirectory: '/opt/python/bin' });
    expect(list[list.indexOf('PATH') + 1]).toMatch(/^\/opt\/python\/bin:\/usr\/local\/sbin:/);
  });
});
