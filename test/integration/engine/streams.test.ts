import { once, setMaxListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DockerCalls } from '#dist/src/engine/docker/docker-calls.js';
import { OciRuntime } from '../../../src/engine/docker/oci-runtime.js';
import { DockerStreams } from '#dist/src/engine/docker/docker-streams.js';
import { readContainerLog } from '#dist/src/engine/docker/env/logs.js';
import { DockerSandboxEngine } from '#dist/src/engine/docker/sandbox/engine.js';
import type { ChannelLoss } from '../../../src/domain/sandbox/engine.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { type Bench, docker, DOCKER_HOST, makeBench, newSandboxId, sandboxSpec } from './support.js';

const MIB = 1024 * 1024;
const MAX_STREAMS = 64;

let bench: Bench;
let calls: DockerCalls;
let streams: DockerStreams;
let sandboxes: DockerSandboxEngine;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  const logger = new SilentLogger();
  calls = new DockerCalls({ dockerHost: DOCKER_HOST, threads: 1, logger });
  streams = new DockerStreams({ dockerHost: DOCKER_HOST, threads: 1, maxStreams: MAX_STREAMS, logger });
  sandboxes = new DockerSandboxEngine({
    calls,
    streams,
    owner: bench.owner,
    seccompProfilePath: bench.seccompProfilePath,
    hostsFile: bench.hostsFile,
    sameHost: true,
    ociRuntime: new OciRuntime({ calls, configured: '', logger }),
    logger,
  });
});
afterEach(async () => {
  await streams.close();
  await calls.close();
  await bench.expectNothingLeft();
});

/** A container that writes a log, without the engine; removed by the caller. */
const startWriter = (...mode: string[]): Promise<string> =>
  docker(
    'run',
    '-d',
    '--network',
    'none',
    '--log-opt',
    'max-size=200m',
    bench.image,
    '/berth/runner',
    ...mode,
  );

/** Counts the bytes that streams opened from now on bring to this thread, consumed or not. */
function countArrivals(): { bytes: number } {
  const arrived = { bytes: 0 };
  const open = streams.open.bind(streams);
  vi.spyOn(streams, 'open').mockImplementation((what, receiver, options) =>
    open(
      what,
      {
        message(message) {
          if (message.kind === 'bytes') arrived.bytes += message.bytes.length;
          receiver.message(message);
        },
        ended: (failure) => receiver.ended(failure),
      },
      options,
    ),
  );
  return arrived;
}

/** Resolves when nothing has arrived for a good number of round trips to Docker. */
async function standstill(arrived: { bytes: number }, container: string): Promise<void> {
  let last = -1;
  while (arrived.bytes !== last) {
    last = arrived.bytes;
    for (let i = 0; i < 50; i++) await calls.run({ op: 'inspectContainer', id: container });
  }
}

it('a reader of a log that stops holds back its producer, and loses nothing', async () => {
  const lines = 40_000;
  const container = await startWriter('lines', String(lines));
  try {
    await docker('wait', container);
    const arrived = countArrivals();
    const log = readContainerLog(streams, container, { follow: true });
    const first = await log.next();
    expect(Buffer.from(first.value?.data ?? []).toString()).toMatch(/^00000000 o{1000}\n$/);
    await standstill(arrived, container);
    // The window and one read of the socket, of 40 MB.
    expect(arrived.bytes).toBeLessThan(512 * 1024);
    let next = 1;
    let broken = 0;
    for await (const { data } of log) {
      if (Number(Buffer.from(data).toString('latin1', 0, 8)) !== next) broken++;
      next++;
    }
    expect(broken).toBe(0);
    expect(next).toBe(lines);
  } finally {
    await docker('rm', '-f', container);
  }
});

it('a runner that floods is held back while nobody takes its bytes', async () => {
  const arrived = countArrivals();
  const sandbox = await sandboxes.create(newSandboxId(), sandboxSpec(bench, 'flood'));
  await standstill(arrived, sandbox.containerId);
  expect(arrived.bytes).toBeGreaterThan(4 * MIB - 1);
  expect(arrived.bytes).toBeLessThan(5 * MIB);
  // It goes on as soon as somebody does: far more than the window.
  let bytes = 0;
  const enough = deferred();
  sandbox.channel.onBytes = (chunk) => {
    bytes += chunk.length;
    if (bytes > 32 * MIB) enough.resolve();
  };
  await enough.promise;
  await sandbox.destroy();
});

it('50 followers of busy logs starve neither short calls nor each other', async () => {
  const followers = 50;
  const container = await startWriter('ticks');
  const burst = async (): Promise<number> => {
    const start = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, () => calls.run({ op: 'inspectContainer', id: container })),
    );
    return performance.now() - start;
  };
  const stop = new AbortController();
  setMaxListeners(followers, stop.signal);
  try {
    await burst();
    const alone = await burst();
    const counts = new Array<number>(followers).fill(0);
    const allStarted = deferred();
    let started = 0;
    const following = counts.map(async (_, i) => {
      for await (const { data } of readContainerLog(streams, container, { follow: true }, stop.signal)) {
        if (counts[i] === 0 && ++started === followers) allStarted.resolve();
        counts[i] = (counts[i] ?? 0) + data.length;
      }
    });
    await allStarted.promise;
    const before = [...counts];
    const withFollowers = await burst();
    const more = await sandboxes.create(newSandboxId(), sandboxSpec(bench, 'ready'));
    await more.destroy();
    // Generous: this is about starvation, which would be a factor of hundreds, on a machine that does other things too.
    expect(withFollowers).toBeLessThan(alone * 10 + 2_000);
    expect(counts.filter((count, i) => count > (before[i] ?? 0))).toHaveLength(followers);
    stop.abort();
    const ends = await Promise.allSettled(following);
    expect(ends.map((end) => end.status === 'rejected' && (end.reason as { reason: string }).reason)).toEqual(
      new Array(followers).fill('CANCELLED'),
    );
    expect(streams.openCount).toBe(0);
  } finally {
    stop.abort();
    await docker('rm', '-f', container);
  }
});

it('streams beyond the maximum are refused, and the place of an ended one is free again', async () => {
  const container = await startWriter('sleep');
  try {
    const stop = new AbortController();
    setMaxListeners(MAX_STREAMS, stop.signal);
    const open = () => readContainerLog(streams, container, { follow: true }, stop.signal).next();
    const held = Array.from({ length: MAX_STREAMS }, () => open().catch(() => undefined));
    await expect(open()).rejects.toMatchObject({ reason: 'OVERLOADED' });
    stop.abort();
    await Promise.all(held);
    expect(streams.openCount).toBe(0);
    const reader = readContainerLog(streams, container, { follow: false });
    expect(await reader.next()).toMatchObject({ done: true });
  } finally {
    await docker('rm', '-f', container);
  }
});

describe('a thread that dies', () => {
  it('ends its streams as worker_died; new ones get a new thread', async () => {
    const spec = sandboxSpec(bench, 'ready');
    const sandbox = await sandboxes.create(newSandboxId(), spec);
    const writer = await startWriter('sleep');
    const loss = deferred<ChannelLoss>();
    sandbox.channel.onClosed = (how) => loss.resolve(how);
    const reading = readContainerLog(streams, writer, { follow: true }).next();
    const read = expect(reading).rejects.toMatchObject({ reason: 'DOCKER_UNAVAILABLE' });
    // The log's stream is open once Docker has answered for it.
    await calls.run({ op: 'inspectContainer', id: writer });
    const [thread] = streams.threads();
    await thread?.terminate();
    expect(await loss.promise).toMatchObject({ cause: 'worker_died' });
    await read;
    expect(streams.openCount).toBe(0);
    await sandbox.destroy();
    await docker('rm', '-f', writer);

    const next = await sandboxes.create(newSandboxId(), spec);
    const bytes = deferred<number>();
    next.channel.onBytes = (chunk) => bytes.resolve(chunk.length);
    expect(await bytes.promise).toBeGreaterThan(0);
    await next.destroy();
  });

  it('fails the calls that it carries as unavailable; later ones work', async () => {
    const writer = await startWriter('sleep');
    const waiting = calls.run({ op: 'waitContainer', id: writer, condition: 'not-running' });
    const failed = expect(waiting).rejects.toMatchObject({ failure: { code: 'worker_died' } });
    await calls.run({ op: 'version' });
    const [thread] = calls.threads();
    const exited = once(thread as NonNullable<typeof thread>, 'exit');
    await thread?.terminate();
    await exited;
    await failed;
    expect(await calls.run({ op: 'inspectContainer', id: writer })).toMatchObject({ state: 'running' });
    await docker('rm', '-f', writer);
  });
});

it('a call is cancelled down to its request, and ends at its time limit', async () => {
  const container = await startWriter('sleep');
  const wait = { op: 'waitContainer', id: container, condition: 'not-running' } as const;
  const abort = new AbortController();
  const cancelled = expect(calls.run(wait, { signal: abort.signal })).rejects.toMatchObject({
    failure: { code: 'cancelled' },
  });
  await calls.run({ op: 'version' });
  abort.abort();
  await cancelled;
  await expect(calls.run(wait, { timeoutMs: 50 })).rejects.toMatchObject({
    failure: { code: 'timeout', timeoutMs: 50 },
  });
  await docker('rm', '-f', container);
});
