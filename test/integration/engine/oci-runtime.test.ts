import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDockerEngine, type DockerEngine } from '#dist/src/engine/docker/create-docker-engine.js';
import type { ChannelLoss, SandboxInstance } from '../../../src/domain/sandbox/engine.js';
import { whyLimitsDoNotHold } from '../../../src/engine/docker/sandbox/gvisor/held-limits.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { type Bench, docker, DOCKER_HOST, makeBench, newSandboxId, sandboxSpec } from './support.js';

const KNOWN = Object.keys(JSON.parse(await docker('info', '--format', '{{json .Runtimes}}')) as object);
const DEFAULT = await docker('info', '--format', '{{.DefaultRuntime}}');
/** CAP_KILL, CAP_SETGID and CAP_SETUID. */
const RUNNERS_CAPABILITIES = '00000000000000e0';

let bench: Bench;
let engine: DockerEngine | undefined;
let logger: SilentLogger;

beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
afterEach(async () => {
  await engine?.close();
  engine = undefined;
  await bench.expectNothingLeft();
});

async function create(ociRuntime: string, ...mode: string[]): Promise<SandboxInstance> {
  logger = new SilentLogger();
  engine = await createDockerEngine({
    dockerHost: DOCKER_HOST,
    owner: bench.owner,
    seccompProfilePath: bench.seccompProfilePath,
    hostsFile: bench.hostsFile,
    ociRuntime,
    callThreads: 1,
    streamThreads: 1,
    maxStreams: 16,
    logger,
  });
  return engine.sandboxes.create(newSandboxId(), sandboxSpec(bench, ...mode));
}

const inspect = (sandbox: SandboxInstance, format: string): Promise<string> =>
  docker('inspect', '--format', format, sandbox.containerId);

/** What a runtime has to have set up, as the kernel tells it. */
async function setUp(sandbox: SandboxInstance): Promise<object> {
  const pid = Number(await inspect(sandbox, '{{.State.Pid}}'));
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
  const mounts = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).split('\n').map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    return { path: before.split(' ')[4], flags: before.split(' ')[5], options: after.split(' ').at(-1) };
  });
  const of = (path: string): object | undefined => mounts.findLast((mount) => mount.path === path);
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(status)?.[1];
  return {
    limitsDoNotHold: whyLimitsDoNotHold(sandbox.containerId, pid, sandboxSpec(bench).limits),
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(field),
    noNewPrivileges: field('NoNewPrivs'),
    seccomp: field('Seccomp'),
    openFiles: /^Max open files +(\d+) +(\d+)/m.exec(limits)?.slice(1),
    oomScoreAdjust: (await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(),
    mounts: ['/tmp', '/workspace', '/dev/shm'].map(of),
    root: of('/'),
    masked: ['/proc/keys', '/proc/locks', '/proc/acpi', '/dev/pts', '/sys/firmware'].map(
      (path) => of(path) !== undefined,
    ),
    network: (await readFile(`/proc/${pid}/net/dev`, 'utf8')).match(/\w+(?=:)/g),
  };
}

describe.each(['runc', 'crun'])('a sandbox under %s', (runtime) => {
  // Nobody has to install crun: without it, everything runs under runc.
  const isKnown = KNOWN.includes(runtime);

  it.skipIf(!isKnown)('has what the specification asks for', async () => {
    const sandbox = await create(runtime, 'ready');
    sandbox.warmedUp?.();
    expect(await inspect(sandbox, '{{.HostConfig.Runtime}}')).toBe(runtime);
    const size = { flags: 'rw,nosuid,nodev,relatime', options: 'rw,size=1024k,nr_inodes=256' };
    expect(await setUp(sandbox)).toEqual({
      limitsDoNotHold: undefined,
      capabilities: [
        '0000000000000000',
        RUNNERS_CAPABILITIES,
        RUNNERS_CAPABILITIES,
        RUNNERS_CAPABILITIES,
        '0000000000000000',
      ],
      noNewPrivileges: '1',
      seccomp: '2',
      openFiles: ['1024', '1024'],
      oomScoreAdjust: '500',
      mounts: [
        { path: '/tmp', ...size },
        { path: '/workspace', ...size },
        { path: '/dev/shm', flags: 'rw,nosuid,nodev,noexec,relatime', options: 'rw,size=1024k' },
      ],
      root: expect.objectContaining({ path: '/', flags: 'ro,relatime' }),
      masked: [true, true, true, true, true],
      network: ['lo'],
    });
    await sandbox.destroy();
  });

  it.skipIf(!isKnown)('is seen from outside: processes, memory, its end at the memory limit', async () => {
    const sandbox = await create(runtime, 'children');
    const ready = deferred();
    sandbox.channel.onBytes = () => ready.resolve();
    await ready.promise;
    expect(sandbox.countProcesses?.()).toBe(4);
    expect(sandbox.peakMemory?.read()).toBeGreaterThan(100_000);
    await sandbox.destroy();

    const hungry = await engine?.sandboxes.create(newSandboxId(), sandboxSpec(bench, 'eats-memory'));
    if (hungry === undefined) throw new Error('there is no engine');
    const loss = deferred<ChannelLoss>();
    hungry.channel.onClosed = (how) => loss.resolve(how);
    expect(await loss.promise).toMatchObject({ cause: 'container_died', oomKilled: true });
    await hungry.destroy();
  });
});

it('the runtime of choice is crun where Docker has it beside runc', async () => {
  const expected = DEFAULT === 'runc' && KNOWN.includes('crun') ? 'crun' : DEFAULT;
  const sandbox = await create('', 'ready');
  expect(await inspect(sandbox, '{{.HostConfig.Runtime}}')).toBe(expected);
  expect(logger.lines.map(({ fields }) => fields)).toContainEqual({
    event: 'sandbox_runtime',
    runtime: expected,
  });
  await sandbox.destroy();
});

it('a configured runtime that Docker does not have is an error that says what to do', async () => {
  await expect(create('not-there', 'ready')).rejects.toMatchObject({
    reason: 'SANDBOX_CREATE_FAILED',
    message: expect.stringMatching(/not-there.*only .*runc.*daemon\.json/),
  });
});
