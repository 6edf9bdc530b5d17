import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HostFiles, openHostCgroup } from '../../../src/engine/docker/sandbox/host-cgroup.js';

const ID = 'c0ffee'.repeat(10);
const PID = 4711;

describe('openHostCgroup', () => {
  let root: string;
  let host: HostFiles;
  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'berth-cgroup-'));
    host = { proc: path.join(root, 'proc'), cgroup: path.join(root, 'cgroup') };
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function put(file: string, content: string): string {
    const full = path.join(root, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  }

  it('reads and resets the peak of cgroup v1, and counts processes', () => {
    put(`proc/${PID}/cgroup`, `12:pids:/docker/${ID}\n4:memory:/docker/${ID}\n0::/\n`);
    const peak = put(`cgroup/memory/docker/${ID}/memory.max_usage_in_bytes`, '1048576\n');
    put(`cgroup/memory/docker/${ID}/cgroup.procs`, '11\n12\n345\n');
    const cgroup = openHostCgroup(ID, PID, host);
    expect(cgroup?.countProcesses()).toBe(3);
    // A plain file keeps what the meter wrote where the kernel would put the present usage.
    expect(readFileSync(peak, 'utf8')).toBe('0048576\n');
    cgroup?.peakMemory?.reset();
    expect(cgroup?.peakMemory?.read()).toBe(48576);
    cgroup?.close();
    expect(cgroup?.peakMemory?.read()).toBe(0);
  });

  it('reads cgroup v2, where its peak can be reset', () => {
    put(`proc/${PID}/cgroup`, `0::/system.slice/docker-${ID}.scope\n`);
    put(`cgroup/system.slice/docker-${ID}.scope/memory.peak`, '2000\n');
    put(`cgroup/system.slice/docker-${ID}.scope/cgroup.procs`, '1\n');
    const cgroup = openHostCgroup(ID, PID, host);
    expect(cgroup?.peakMemory?.read()).toBe(0);
    expect(cgroup?.countProcesses()).toBe(1);
    cgroup?.close();
  });

  it('has no meter on a v2 kernel whose peak is for reading only, but counts', () => {
    put(`proc/${PID}/cgroup`, `0::/docker/${ID}\n`);
    chmodSync(put(`cgroup/docker/${ID}/memory.peak`, '2000\n'), 0o444);
    put(`cgroup/docker/${ID}/cgroup.procs`, '1\n2\n');
    const cgroup = openHostCgroup(ID, PID, host);
    expect(cgroup?.peakMemory).toBeUndefined();
    expect(cgroup?.countProcesses()).toBe(2);
  });

  it('allows a burst of one quota, on v1 and on v2', () => {
    put(`proc/${PID}/cgroup`, `5:cpu,cpuacct:/docker/${ID}\n4:memory:/docker/${ID}\n0::/\n`);
    put(`cgroup/memory/docker/${ID}/cgroup.procs`, '1\n');
    put(`cgroup/cpu/docker/${ID}/cpu.cfs_quota_us`, '5000\n');
    const v1 = put(`cgroup/cpu/docker/${ID}/cpu.cfs_burst_us`, '0\n');
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(true);
    expect(readFileSync(v1, 'utf8')).toBe('5000');

    put(`proc/${PID}/cgroup`, `0::/docker/${ID}\n`);
    put(`cgroup/docker/${ID}/cgroup.procs`, '1\n');
    put(`cgroup/docker/${ID}/cpu.max`, '5000 10000\n');
    const v2 = put(`cgroup/docker/${ID}/cpu.max.burst`, '0\n');
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(true);
    expect(readFileSync(v2, 'utf8')).toBe('5000');
  });

  it('lifts the CPU quota for the warm-up and puts it back, on v1 and on v2', () => {
    put(`proc/${PID}/cgroup`, `5:cpu,cpuacct:/docker/${ID}\n4:memory:/docker/${ID}\n0::/\n`);
    put(`cgroup/memory/docker/${ID}/cgroup.procs`, '1\n');
    const v1 = put(`cgroup/cpu/docker/${ID}/cpu.cfs_quota_us`, '5000\n');
    const first = openHostCgroup(ID, PID, host)!;
    expect(first.liftCpuQuota()).toBe(true);
    // A plain file keeps the rest of what it held.
    expect(readFileSync(v1, 'utf8')).toMatch(/^-1/);
    first.restoreCpuQuota();
    expect(readFileSync(v1, 'utf8')).toBe('5000\n');

    put(`proc/${PID}/cgroup`, `0::/docker/${ID}\n`);
    put(`cgroup/docker/${ID}/cgroup.procs`, '1\n');
    const v2 = put(`cgroup/docker/${ID}/cpu.max`, '5000 10000\n');
    const second = openHostCgroup(ID, PID, host)!;
    expect(second.liftCpuQuota()).toBe(true);
    expect(readFileSync(v2, 'utf8')).toMatch(/^max/);
    rmSync(v2);
    // A sandbox whose quota cannot be put back must not be used.
    expect(() => second.restoreCpuQuota()).toThrow(/ENOENT/);
  });

  it('leaves alone a quota that cannot be written', () => {
    put(`proc/${PID}/cgroup`, `0::/docker/${ID}\n`);
    put(`cgroup/docker/${ID}/cgroup.procs`, '1\n');
    const cgroup = openHostCgroup(ID, PID, host)!;
    expect(cgroup.liftCpuQuota()).toBe(false);
    expect(() => cgroup.restoreCpuQuota()).not.toThrow();
  });

  it('goes without a burst where there is no quota, no such file, or no cpu cgroup of the container', () => {
    put(`proc/${PID}/cgroup`, `0::/docker/${ID}\n`);
    put(`cgroup/docker/${ID}/cgroup.procs`, '1\n');
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(false);
    put(`cgroup/docker/${ID}/cpu.max`, 'max 100000\n');
    const burst = put(`cgroup/docker/${ID}/cpu.max.burst`, '0\n');
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(false);
    expect(readFileSync(burst, 'utf8')).toBe('0\n');
    put(`cgroup/docker/${ID}/cpu.max`, '5000 10000\n');
    rmSync(burst);
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(false);
    expect(existsSync(burst)).toBe(false);

    put(`proc/${PID}/cgroup`, `5:cpu:/user.slice\n4:memory:/docker/${ID}\n`);
    put(`cgroup/memory/docker/${ID}/cgroup.procs`, '1\n');
    expect(openHostCgroup(ID, PID, host)?.allowCpuBurst()).toBe(false);
  });

  it('takes no cgroup that is not the container’s: another host, a pid used again', () => {
    put(`proc/${PID}/cgroup`, '4:memory:/user.slice\n0::/user.slice\n');
    put('cgroup/memory/user.slice/cgroup.procs', '1\n');
    expect(openHostCgroup(ID, PID, host)).toBeUndefined();
    expect(openHostCgroup(ID, PID + 1, host)).toBeUndefined();
  });
});
