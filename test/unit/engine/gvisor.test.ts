import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whyLimitsDoNotHold } from '../../../src/engine/docker/sandbox/gvisor/held-limits.js';
import type { ChannelLoss } from '../../../src/domain/sandbox/engine.js';
import type { DockerCalls } from '../../../src/engine/docker/docker-calls.js';
import { explainGvisorLoss } from '../../../src/engine/docker/sandbox/gvisor/loss.js';
import { gvisorRuntimeName } from '../../../src/engine/docker/sandbox/gvisor/runtime-name.js';
import { packageRoot } from '../../../src/engine/docker/images/package-root.js';

interface DockerConfig {
  withRuntime(text: string, name: string, runtime: { path: string } | undefined): string;
  withoutEmptyRuntimes(text: string): string;
}

// Plain JavaScript that runs before anything is installed; it has no types to import.
const { withRuntime, withoutEmptyRuntimes } = (await import(
  pathToFileURL(path.join(packageRoot(), 'src/cli/setup/docker-config.mjs')).href
)) as DockerConfig;

const ID = 'c0ffee'.repeat(10);
const PID = 4711;
const LIMITS = {
  memoryBytes: 64 * 1024 * 1024,
  cpuMillis: 500,
  processes: 16,
  tmpfsBytes: 1,
  tmpfsInodes: 1,
  shmBytes: 1,
};

describe('whether limits hold', () => {
  let root: string;
  let files: Record<string, string>;
  beforeEach(() => (root = mkdtempSync(path.join(tmpdir(), 'berth-gvisor-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function why(): string | undefined {
    for (const [file, text] of Object.entries(files)) {
      const full = path.join(root, file);
      mkdirSync(path.dirname(full), { recursive: true });
      writeFileSync(full, text);
    }
    return whyLimitsDoNotHold(ID, PID, LIMITS, {
      proc: path.join(root, 'proc'),
      cgroup: path.join(root, 'cgroup'),
    });
  }

  describe.each([
    [
      'v1',
      () => ({
        [`proc/${PID}/cgroup`]: `3:memory:/docker/${ID}\n2:cpu:/docker/${ID}\n1:pids:/docker/${ID}\n0::/\n`,
        [`cgroup/memory/docker/${ID}/memory.limit_in_bytes`]: '67108864\n',
        [`cgroup/cpu/docker/${ID}/cpu.cfs_quota_us`]: '5000\n',
        [`cgroup/cpu/docker/${ID}/cpu.cfs_period_us`]: '10000\n',
        [`cgroup/pids/docker/${ID}/pids.max`]: '512\n',
      }),
      {
        memory: [`cgroup/memory/docker/${ID}/memory.limit_in_bytes`, '9223372036854771712'],
        CPU: [`cgroup/cpu/docker/${ID}/cpu.cfs_quota_us`, '-1'],
        processes: [`cgroup/pids/docker/${ID}/pids.max`, 'max'],
      },
    ],
    [
      'v2',
      () => ({
        [`proc/${PID}/cgroup`]: `0::/system.slice/docker-${ID}.scope\n`,
        [`cgroup/system.slice/docker-${ID}.scope/memory.max`]: '67108864\n',
        [`cgroup/system.slice/docker-${ID}.scope/cpu.max`]: '5000 10000\n',
        [`cgroup/system.slice/docker-${ID}.scope/pids.max`]: '512\n',
      }),
      {
        memory: [`cgroup/system.slice/docker-${ID}.scope/memory.max`, 'max'],
        CPU: [`cgroup/system.slice/docker-${ID}.scope/cpu.max`, 'max 10000'],
        processes: [`cgroup/system.slice/docker-${ID}.scope/pids.max`, 'max'],
      },
    ],
  ])('with cgroup %s', (_, held, unheld) => {
    beforeEach(() => (files = held()));

    it('is seen in the files', () => expect(why()).toBeUndefined());

    it.each(Object.entries(unheld))('is denied without one of %s', (what, [file = '', text = '']) => {
      files[file] = text;
      expect(why()).toContain(`limits its ${what}`);
    });

    it('is denied where the files are missing', () => {
      files = { [`proc/${PID}/cgroup`]: files[`proc/${PID}/cgroup`] ?? '' };
      expect(why()).toContain('memory');
    });
  });

  it('is denied in a cgroup that is not the container’s own, as with --ignore-cgroups', () => {
    files = { [`proc/${PID}/cgroup`]: '3:memory:/\n2:cpu:/\n1:pids:/\n0::/\n' };
    expect(why()).toContain('memory');
  });

  it('is denied for a process of another host', () => {
    files = {};
    expect(why()).toContain('not to be seen');
  });
});

describe('the runtime of gVisor', () => {
  it('is the one that holds limits before the plain one, and what is configured before both', () => {
    expect(gvisorRuntimeName(['runc', 'runsc', 'berth-runsc'], '')).toBe('berth-runsc');
    expect(gvisorRuntimeName(['runc', 'runsc'], '')).toBe('runsc');
    expect(gvisorRuntimeName(['runc', 'mine', 'runsc'], 'mine')).toBe('mine');
  });

  it.each(['', 'mine'])('is told how to get when it is missing (configured: "%s")', (configured) => {
    expect(() => gvisorRuntimeName(['runc'], configured)).toThrow(
      /only runc.*npm run quickstart -- --gvisor/s,
    );
  });
});

describe('the end of gVisor itself', () => {
  const loss = { cause: 'container_died' as const, oomKilled: false };
  const asked: unknown[] = [];
  /** Docker, for a container with or without the mark of berth-runsc. */
  const explain = (given: ChannelLoss, hasMark: boolean | Error): Promise<ChannelLoss> => {
    asked.length = 0;
    const run = async (call: unknown): Promise<unknown> => {
      asked.push(call);
      if (hasMark instanceof Error) throw hasMark;
      return { has: hasMark };
    };
    return explainGvisorLoss({ run } as Pick<DockerCalls, 'run'>, 'abc', given);
  };

  it.each([2, 137])('is its memory limit where berth-runsc says so (exit code %i)', async (code) => {
    const message = `the runner ended with exit code ${code}`;
    expect(await explain({ ...loss, message }, true)).toEqual({
      cause: 'container_died',
      message: `${message}, killed by its memory limit`,
      oomKilled: true,
    });
    expect(asked).toEqual([{ op: 'containerHasFile', id: 'abc', path: '/.berth-out-of-memory' }]);
  });

  it.each([false, new Error('Docker is away')])('is explained when it gave up (mark: %s)', async (mark) => {
    const message = 'the runner ended with exit code 2';
    expect((await explain({ ...loss, message }, mark)).message).toMatch(
      /exit code 2: .*more processes than its limit/,
    );
  });

  it('is left as it is otherwise', async () => {
    const given = { ...loss, message: 'the runner ended with exit code 137' };
    expect(await explain(given, false)).toBe(given);
  });

  it.each([
    { ...loss, oomKilled: true, message: 'the runner ended with exit code 2' },
    { ...loss, cause: 'docker_away' as const, message: 'the connection ended' },
  ])('is not asked about when it is known, or was none', async (given) => {
    expect(await explain(given, true)).toBe(given);
    expect(asked).toEqual([]);
  });
});

describe('daemon.json', () => {
  const ours = { path: '/ours' };

  it('gets a runtime beside what it has', () => {
    const text = '{"debug": true, "runtimes": {"other": {"path": "/other"}}}';
    expect(JSON.parse(withRuntime(text, 'ours', ours))).toEqual({
      debug: true,
      runtimes: { other: { path: '/other' }, ours },
    });
    expect(JSON.parse(withRuntime('', 'ours', ours))).toEqual({ runtimes: { ours } });
  });

  it('loses only that, and says so until Docker has read it', () => {
    const text = withRuntime('{"debug": true}', 'ours', ours);
    expect(JSON.parse(withRuntime(text, 'ours', undefined))).toEqual({ debug: true, runtimes: {} });
    expect(JSON.parse(withoutEmptyRuntimes('{"debug": true, "runtimes": {}}'))).toEqual({ debug: true });
    expect(withoutEmptyRuntimes('{"runtimes": {}}')).toBe('');
  });
});
