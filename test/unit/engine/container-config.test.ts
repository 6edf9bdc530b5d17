import { describe, expect, it } from 'vitest';
import type { SandboxSpec } from '../../../src/domain/sandbox/spec.js';
import { sandboxContainerBody } from '../../../src/engine/docker/sandbox/container-config.js';

const SPEC: SandboxSpec = {
  image: 'berth/sandbox-python:3.11',
  imageDigest: `sha256:${'0'.repeat(64)}`,
  languages: ['python'],
  limits: {
    memoryBytes: 512 * 1024 * 1024,
    cpuMillis: 500,
    processes: 128,
    tmpfsBytes: 64 * 1024 * 1024,
    tmpfsInodes: 16384,
    shmBytes: 16 * 1024 * 1024,
  },
  network: 'none',
  isolation: 'reuse',
};
const context = {
  sandboxId: 'sbx-1',
  owner: 'me',
  seccompProfile: '{}',
  runtime: undefined,
  hostsFile: undefined,
  sameHost: false,
};

describe('sandboxContainerBody', () => {
  it('gives exactly the three capabilities of the runner and no way to more', () => {
    const host = sandboxContainerBody(SPEC, context).HostConfig;
    expect(host).toMatchObject({
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID', 'KILL'],
      SecurityOpt: ['no-new-privileges:true', 'seccomp={}'],
      ReadonlyRootfs: true,
      NetworkMode: 'none',
      IpcMode: 'private',
    });
    expect(host).not.toHaveProperty('Binds');
    expect(host).not.toHaveProperty('Privileged');
    expect(host).not.toHaveProperty('Runtime');
  });

  it('has no network, and a hosts file to read where Docker can see one', () => {
    expect(sandboxContainerBody(SPEC, context)).toMatchObject({ NetworkDisabled: false });
    const body = sandboxContainerBody(SPEC, { ...context, hostsFile: '/berth/hosts' });
    expect(body).toMatchObject({
      NetworkDisabled: true,
      HostConfig: {
        NetworkMode: 'none',
        Mounts: [{ Type: 'bind', Source: '/berth/hosts', Target: '/etc/hosts', ReadOnly: true }],
      },
    });
  });

  it('hides what shows or takes something of the whole host', () => {
    const { MaskedPaths } = sandboxContainerBody(SPEC, context).HostConfig as { MaskedPaths: string[] };
    expect(MaskedPaths).toEqual(
      expect.arrayContaining(['/dev/pts', '/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/locks']),
    );
  });

  it('limits everything that can be filled', () => {
    const host = sandboxContainerBody(SPEC, context).HostConfig;
    const tmpfs = 'rw,exec,nosuid,nodev,mode=1777,size=67108864,nr_inodes=16384';
    expect(host).toMatchObject({
      Memory: 536870912,
      MemorySwap: 536870912,
      PidsLimit: 128,
      CpuPeriod: 10_000,
      CpuQuota: 5_000,
      ShmSize: 16777216,
      Tmpfs: { '/tmp': tmpfs, '/workspace': tmpfs },
      LogConfig: { Type: 'none' },
    });
  });

  it('gives the runner a place for its socket only where the daemon can reach it, for uid 0 alone', () => {
    const places = (over: { sameHost?: boolean; runtime?: string }, spec = SPEC): string[] =>
      Object.keys(sandboxContainerBody(spec, { ...context, ...over }).HostConfig?.Tmpfs ?? {});
    expect(places({ sameHost: true })).toEqual(['/tmp', '/workspace', '/berth/channel']);
    expect(places({})).toEqual(['/tmp', '/workspace']);
    expect(places({ sameHost: true, runtime: 'crun' })).toEqual(['/tmp', '/workspace', '/berth/channel']);
    expect(places({ sameHost: true, runtime: 'runsc' }, { ...SPEC, isolation: 'gvisor' })).toEqual([
      '/tmp',
      '/workspace',
    ]);
    const body = sandboxContainerBody(SPEC, { ...context, sameHost: true });
    expect(body.HostConfig?.Tmpfs?.['/berth/channel']).toMatch(/mode=0700/);
  });

  it('takes a longer period where the kernel refuses so small a quota', () => {
    const limits = { ...SPEC.limits, cpuMillis: 50 };
    const host = sandboxContainerBody({ ...SPEC, limits }, context).HostConfig;
    expect(host).toMatchObject({ CpuPeriod: 20_000, CpuQuota: 1_000 });
  });

  it('runs the image by digest, labelled with its owner', () => {
    const body = sandboxContainerBody(SPEC, { ...context, runtime: 'runsc' });
    expect(body.Image).toBe(SPEC.imageDigest);
    expect(body.HostConfig?.Runtime).toBe('runsc');
    expect(body.Labels).toEqual({
      'dev.berth.owner': 'me',
      'dev.berth.kind': 'sandbox',
      'dev.berth.sandbox': 'sbx-1',
    });
  });
});
