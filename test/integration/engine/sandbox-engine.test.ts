import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDockerEngine, type DockerEngine } from '#dist/src/engine/docker/create-docker-engine.js';
import type { ChannelLoss, SandboxInstance } from '../../../src/domain/sandbox/engine.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { type Bench, docker, DOCKER_HOST, makeBench, newSandboxId, sandboxSpec } from './support.js';

/** Its body is `{}`. */
const READY_FRAME = Buffer.from('00000007' + '81' + '00000000' + '7b7d', 'hex');

let bench: Bench;
let engine: DockerEngine;
const logger = new SilentLogger();

beforeAll(async () => {
  bench = await makeBench();
  engine = await createDockerEngine({
    dockerHost: DOCKER_HOST,
    owner: bench.owner,
    seccompProfilePath: bench.seccompProfilePath,
    hostsFile: bench.hostsFile,
    callThreads: 1,
    streamThreads: 1,
    maxStreams: 16,
    logger,
  });
});
afterAll(async () => {
  await engine.close();
  await bench.close();
});

const create = (...mode: string[]): Promise<SandboxInstance> =>
  engine.sandboxes.create(newSandboxId(), sandboxSpec(bench, ...mode));

/** So many bytes from the runner, from now on. */
function bytesOf(sandbox: SandboxInstance, count: number): Promise<Buffer> {
  const all = deferred<Buffer>();
  let seen: Buffer = Buffer.alloc(0);
  sandbox.channel.onBytes = (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    if (seen.length >= count) all.resolve(seen);
  };
  return all.promise;
}

function lossOf(sandbox: SandboxInstance): Promise<ChannelLoss> {
  const loss = deferred<ChannelLoss>();
  sandbox.channel.onClosed = (how) => loss.resolve(how);
  return loss.promise;
}

describe('a sandbox', () => {
  afterEach(() => bench.expectNothingLeft());

  it('is created with its first frame not missed, carries bytes both ways, and is gone after destroy', async () => {
    const sandbox = await create('echo');
    expect(await bytesOf(sandbox, READY_FRAME.length)).toEqual(READY_FRAME);
    const sent = Buffer.alloc(300_000, 'abcdefg');
    const echoed = bytesOf(sandbox, sent.length);
    // A view and a whole buffer: neither may be taken away from the sender.
    sandbox.channel.send(sent.subarray(0, 100));
    const rest = Uint8Array.from(sent.subarray(100));
    sandbox.channel.send(rest);
    expect((await echoed).equals(sent)).toBe(true);
    expect(rest).toHaveLength(299_900);

    const loss = lossOf(sandbox);
    await Promise.all([sandbox.destroy(), sandbox.destroy()]);
    expect(await loss).toMatchObject({ cause: 'closed' });
    await sandbox.destroy();
    expect(sandbox.countProcesses?.()).toBe(0);
    expect(sandbox.peakMemory?.read() ?? 0).toBe(0);
  });

  it('has the limits and nothing beyond the runner’s capabilities, as Docker tells it', async () => {
    const sandbox = await create('ready');
    const [info] = JSON.parse(await docker('inspect', sandbox.containerId));
    expect(info.Name).toBe(`/berth-${sandbox.sandboxId}`);
    expect(info.HostConfig).toMatchObject({
      Privileged: false,
      CapDrop: ['ALL'],
      ReadonlyRootfs: true,
      NetworkMode: 'none',
      Memory: 64 * 1024 * 1024,
      MemorySwap: 64 * 1024 * 1024,
      CpuPeriod: 10_000,
      CpuQuota: 5_000,
      PidsLimit: 64,
      OomScoreAdj: 500,
      LogConfig: { Type: 'none' },
    });
    expect(info.HostConfig.CapAdd.toSorted()).toEqual(['KILL', 'SETGID', 'SETUID']);
    expect(info.Mounts).toEqual([
      expect.objectContaining({
        Type: 'bind',
        Source: bench.hostsFile,
        Destination: '/etc/hosts',
        RW: false,
      }),
    ]);
    expect(info.Config).toMatchObject({
      User: '0:0',
      StdinOnce: true,
      NetworkDisabled: true,
      Cmd: ['ready'],
    });
    await sandbox.destroy();
  });

  it('is measured from the host: processes counted, peak memory reset', async () => {
    const sandbox = await create('children');
    await bytesOf(sandbox, READY_FRAME.length);
    expect(sandbox.countProcesses?.()).toBe(4);
    const peak = sandbox.peakMemory;
    expect(peak).toBeDefined();
    peak?.reset();
    expect(peak?.read()).toBeGreaterThan(100_000);
    expect(peak?.read()).toBeLessThan(64 * 1024 * 1024);
    await sandbox.destroy();
  });

  it('may use the quota of one more period that it left unused, where the kernel has that', async () => {
    const sandbox = await create('ready');
    const pid = await docker('inspect', '--format', '{{.State.Pid}}', sandbox.containerId);
    const { burst } = cpuFiles(await readFile(`/proc/${pid}/cgroup`, 'utf8'));
    if (existsSync(burst)) expect((await readFile(burst, 'utf8')).trim()).toBe('5000');
    await sandbox.destroy();
  });

  it('warms up without its CPU quota, which holds again with its burst before anything runs', async () => {
    const sandbox = await create('ready');
    const pid = await docker('inspect', '--format', '{{.State.Pid}}', sandbox.containerId);
    const { quota, burst } = cpuFiles(await readFile(`/proc/${pid}/cgroup`, 'utf8'));
    expect(await readFile(quota, 'utf8')).toMatch(/^(-1|max)\b/);
    sandbox.warmedUp?.();
    expect(await readFile(quota, 'utf8')).toMatch(/^5000\b/);
    if (existsSync(burst)) expect((await readFile(burst, 'utf8')).trim()).toBe('5000');
    await sandbox.destroy();
  });

  it("hands the runner's diagnostics to the log", async () => {
    const sandbox = await create('diagnoses');
    await bytesOf(sandbox, READY_FRAME.length);
    expect(logger.lines).toContainEqual({
      level: 'warn',
      fields: { sandbox: sandbox.sandboxId, line: 'the zygote is warm' },
      message: 'runner diagnostics',
    });
    await sandbox.destroy();
  });
});

/** By the content of `/proc/PID/cgroup`. */
function cpuFiles(cgroups: string): { quota: string; burst: string } {
  const v1 = /^\d+:(?:\w+,)*cpu(?:,\w+)*:(.*)$/m.exec(cgroups);
  if (v1) {
    const directory = `/sys/fs/cgroup/cpu${v1[1]}`;
    return { quota: `${directory}/cpu.cfs_quota_us`, burst: `${directory}/cpu.cfs_burst_us` };
  }
  const directory = `/sys/fs/cgroup${/^0::(.*)$/m.exec(cgroups)?.[1]}`;
  return { quota: `${directory}/cpu.max`, burst: `${directory}/cpu.max.burst` };
}

describe('a sandbox that is lost', () => {
  afterEach(() => bench.expectNothingLeft());

  it.each([
    ['exits', ['exit', '3'], { cause: 'container_died', oomKilled: false, message: /exit code 3/ }],
    [
      'runs out of memory',
      ['eats-memory'],
      { cause: 'container_died', oomKilled: true, message: /memory limit/ },
    ],
  ])('says so when its runner %s', async (_, mode, expected) => {
    const sandbox = await create(...mode);
    const loss = await lossOf(sandbox);
    expect(loss).toMatchObject({ cause: expected.cause, oomKilled: expected.oomKilled });
    expect(loss.message).toMatch(expected.message);
    await sandbox.destroy();
  });

  it('says so when somebody removes its container', async () => {
    const sandbox = await create('ready');
    const loss = lossOf(sandbox);
    await docker('rm', '-f', sandbox.containerId);
    expect(await loss).toMatchObject({ cause: 'container_died', oomKilled: false });
    await sandbox.destroy();
  });
});

describe('creating a sandbox', () => {
  afterEach(() => bench.expectNothingLeft());

  it.each(['create', 'attach', 'start'])(
    'that is cancelled at Docker’s event %s leaves nothing',
    async (action) => {
      const abort = new AbortController();
      const seen = deferred();
      const unsubscribe = engine.availability.subscribe({
        event(event) {
          if (event.action !== action) return;
          abort.abort();
          seen.resolve();
        },
        lost: () => undefined,
      });
      // Whether the abort comes in time is up to Docker; either way nothing may be left.
      const result = await engine.sandboxes
        .create(newSandboxId(), sandboxSpec(bench, 'ready'), abort.signal)
        .catch((error: unknown) => error);
      await seen.promise;
      unsubscribe?.();
      if (result instanceof Error) expect(result).toMatchObject({ reason: 'CANCELLED' });
      else await (result as SandboxInstance).destroy();
    },
  );

  it('that is cancelled at once, or before, is refused as cancelled', async () => {
    const abort = new AbortController();
    const creation = engine.sandboxes.create(newSandboxId(), sandboxSpec(bench, 'ready'), abort.signal);
    abort.abort();
    await expect(creation).rejects.toMatchObject({ reason: 'CANCELLED' });
    await expect(
      engine.sandboxes.create(newSandboxId(), sandboxSpec(bench, 'ready'), abort.signal),
    ).rejects.toMatchObject({ reason: 'CANCELLED' });
  });

  it('names an image that is not there', async () => {
    await expect(engine.sandboxes.resolveImage('no.such/image:1')).rejects.toMatchObject({
      reason: 'IMAGE_NOT_FOUND',
      message: expect.stringContaining('no.such/image:1'),
    });
    await expect(engine.sandboxes.resolveImage('../containers/json?x')).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
    });
    expect(await engine.sandboxes.resolveImage(bench.image)).toBe(bench.imageDigest);
    const spec = { ...sandboxSpec(bench, 'ready'), imageDigest: `sha256:${'0'.repeat(64)}` };
    await expect(engine.sandboxes.create(newSandboxId(), spec)).rejects.toMatchObject({
      reason: 'IMAGE_NOT_FOUND',
    });
  });

  it('leaves another container of the same name alone', async () => {
    const id = newSandboxId();
    const first = await engine.sandboxes.create(id, sandboxSpec(bench, 'ready'));
    await expect(engine.sandboxes.create(id, sandboxSpec(bench, 'ready'))).rejects.toMatchObject({
      reason: 'SANDBOX_CREATE_FAILED',
    });
    expect(await docker('inspect', '--format', '{{.State.Running}}', first.containerId)).toBe('true');
    await first.destroy();
  });
});

it('strays of this owner are removed, what is kept and what is another’s is not', async () => {
  const [kept, stray] = await Promise.all([create('ready'), create('ready')]);
  const other = await docker(
    ...['run', '-d', '--label', 'dev.berth.owner=somebody-else', '--label', 'dev.berth.kind=sandbox'],
    ...['--network', 'none', '--entrypoint', '/berth/runner', bench.image, 'sleep'],
  );
  try {
    expect(await engine.sandboxes.removeStrays((id) => id === kept.sandboxId)).toEqual([stray.sandboxId]);
    expect(await docker('inspect', '--format', '{{.State.Running}}', kept.containerId, other)).toBe(
      'true\ntrue',
    );
  } finally {
    await docker('rm', '-f', other);
    await kept.destroy();
    await stray.destroy();
  }
  await bench.expectNothingLeft();
});
