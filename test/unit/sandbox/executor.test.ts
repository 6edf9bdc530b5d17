import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deferred, type Deferred } from '../../../src/lib/deferred.js';
import { BerthError } from '../../../src/domain/errors.js';
import type { AcquireOptions, Lease } from '../../../src/domain/pool/lease.js';
import type { ExecutionEvent } from '../../../src/domain/sandbox/execution.js';
import { ExecutionDirectory } from '../../../src/domain/sandbox/execution-directory.js';
import { ExecutionRecorder } from '../../../src/domain/sandbox/execution-recorder.js';
import { ExecutionRegistry } from '../../../src/domain/sandbox/execution-registry.js';
import { Executor } from '../../../src/domain/sandbox/executor.js';
import type { Submitted } from '../../../src/domain/sandbox/submitted.js';
import { SpillSpace } from '../../../src/domain/sandbox/history-spill.js';
import type { JobEnd, JobSink, RunningJob } from '../../../src/domain/sandbox/runner-session.js';
import type { AnySandbox } from '../../../src/domain/sandbox/sandbox.js';
import { FakeExecutionStore } from '../../support/fake-execution-store.js';
import { FakeSandbox, SPEC } from '../../support/fake-sandboxes.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { REQUEST } from './request.js';

/** A job that the test drives. */
class FakeJob implements RunningJob {
  readonly #end = deferred<JobEnd>();
  readonly done = this.#end.promise;
  readonly signals: number[] = [];
  /** A runner that does not answer. */
  deaf = false;

  constructor(readonly sink: JobSink) {}

  cancel(): void {
    if (!this.deaf) this.exit('cancelled');
  }

  signal(number: number): void {
    this.signals.push(number);
  }

  grant(): void {}

  exit(reason: 'exited' | 'signalled' | 'cancelled', exitCode?: number): void {
    const usage = {
      wallMs: 5,
      userCpuMs: 1,
      systemCpuMs: 1,
      peakMemoryBytes: 1,
      peakMemorySource: 'sampled' as const,
      stdoutBytes: 0,
      stderrBytes: 0,
      oomKills: 0,
    };
    const signal = reason === 'signalled' ? 'SIGTERM' : '';
    this.#end.resolve({
      kind: 'ended',
      body: { reason, exitCode, signal, message: '', usage, truncated: false },
    });
  }

  lose(loss: Extract<JobEnd, { kind: 'lost' }>['loss']): void {
    this.#end.resolve({ kind: 'lost', loss });
  }
}

/** An executor over a pool whose sandboxes the test hands out, and records in memory. */
class World {
  readonly jobs: FakeJob[] = [];
  readonly leases: Lease[] = [];
  readonly waiting: { options: AcquireOptions; grant: Deferred<Lease> }[] = [];
  released = 0;
  destroyed = 0;
  /** Set to have requests wait for `grant`. */
  isFull = false;
  readonly executor: Executor;
  readonly directory: ExecutionDirectory;
  readonly recorder: ExecutionRecorder;

  constructor(
    readonly store = new FakeExecutionStore(),
    life = 'life-1',
    { retainMs = 60_000, maxRequestIds = 1_000, maxWaitingBytes = 1e9 } = {},
  ) {
    const of = { owner: 'berth', life };
    const logger = new SilentLogger();
    this.recorder = new ExecutionRecorder({
      store,
      of,
      logger,
      maxPending: 100,
      keepMs: 1_000,
      keepCount: 100,
    });
    const registry = new ExecutionRegistry({ retainMs, retainTotalBytes: 1_000_000 });
    this.directory = new ExecutionDirectory(registry, this.recorder, store);
    this.executor = new Executor({
      pools: { acquire: (_request, options) => this.#acquire(options) },
      registry,
      recorder: this.recorder,
      directory: this.directory,
      store,
      of,
      logger,
      retainBytes: 100_000,
      spill: new SpillSpace({
        directory: join(tmpdir(), 'berth-never-made'),
        bytesEach: 0,
        bytesTotal: 0,
        logger,
      }),
      maxRequestIds,
      maxWaitingBytes,
    });
    onTestFinished(() => registry.close());
  }

  lease(): Lease {
    const sandbox: AnySandbox = Object.assign(new FakeSandbox('sbx-1', SPEC, true), {
      start: (_job: unknown, sink: JobSink) => {
        const job = new FakeJob(sink);
        this.jobs.push(job);
        return job;
      },
      destroy: () => {
        this.destroyed++;
        this.jobs.at(-1)?.lose({ cause: 'closed', message: 'destroyed', oomKilled: false });
        return Promise.resolve();
      },
    });
    const lease: Lease = {
      sandbox,
      poolId: 'pool-1',
      servedBy: 'pool',
      servedReason: '',
      hit: true,
      missReason: undefined,
      waitMs: 1,
      onRevoked: undefined,
      release: () => void this.released++,
    };
    this.leases.push(lease);
    return lease;
  }

  #acquire(options: AcquireOptions): Promise<Lease> {
    if (!this.isFull) return Promise.resolve(this.lease());
    const grant = deferred<Lease>();
    options.signal?.addEventListener('abort', () => grant.reject(options.signal?.reason), { once: true });
    this.waiting.push({ options, grant });
    return grant.promise;
  }

  async started(submitted: Submitted): Promise<FakeJob> {
    const count = this.jobs.length;
    await expect.poll(() => this.jobs.length).toBeGreaterThanOrEqual(Math.max(count, 1));
    const job = this.jobs.at(-1)!;
    job.sink.onStarted('spare', '');
    expect(submitted.execution?.record().state).toBe('running');
    return job;
  }
}

async function all(submitted: Submitted, afterSeq = 0): Promise<ExecutionEvent[]> {
  const events: ExecutionEvent[] = [];
  for await (const event of submitted.read(afterSeq)) events.push(event);
  return events;
}

const ended = (events: ExecutionEvent[]) => {
  const body = events.at(-1)?.body;
  if (body?.type !== 'ended') throw new Error('the last event is not the terminal one');
  return body;
};

describe('an execution', () => {
  it('is queued, runs and ends; its record follows', async () => {
    const world = new World();
    const submitted = await world.executor.execute({ ...REQUEST, labels: { a: '1' } });
    const job = await world.started(submitted);
    job.sink.onOutput('stdout', Buffer.from('hi'));
    job.exit('exited', 0);
    expect((await all(submitted)).map((e) => [e.seq, e.body.type])).toEqual([
      [1, 'started'],
      [2, 'output'],
      [3, 'ended'],
    ]);
    const { record, oldestSeq } = await world.directory.get('default', submitted.executionId);
    expect(record).toMatchObject({
      state: 'ended',
      lastSeq: 3,
      labels: { a: '1' },
      ended: { reason: 'exited' },
    });
    expect(oldestSeq).toBe(1);
    await expect.poll(() => world.released).toBe(1);
    await expect(world.directory.get('other', submitted.executionId)).rejects.toMatchObject({
      reason: 'EXECUTION_NOT_FOUND',
    });
  });

  it('tells what its start waits for when it is asked to', async () => {
    const world = new World();
    world.isFull = true;
    const submitted = await world.executor.execute({ ...REQUEST, progress: true });
    await expect.poll(() => world.waiting).toHaveLength(1);
    const { options, grant } = world.waiting[0]!;
    options.onProgress?.({ phase: 'waiting_for_sandbox', queuePosition: 2, message: 'all in use' });
    grant.resolve(world.lease());
    (await world.started(submitted)).exit('exited', 0);
    const events = await all(submitted);
    expect(events.map((e) => e.body.type)).toEqual(['progress', 'started', 'ended']);
    expect(events[0]?.body).toMatchObject({ queuePosition: 2 });
    await world.executor.execute(REQUEST);
    await expect.poll(() => world.waiting).toHaveLength(2);
    expect(world.waiting[1]!.options.onProgress).toBeUndefined();
    world.waiting[1]!.grant.reject(new BerthError('POOL_EXHAUSTED', 'full'));
  });

  it.each([
    ['container_died', false, { reason: 'sandbox_lost', lostCause: 'container_died' }],
    ['docker_away', false, { reason: 'sandbox_lost', lostCause: 'engine_lost' }],
    ['worker_died', false, { reason: 'sandbox_lost', lostCause: 'connection_lost' }],
    ['container_died', true, { reason: 'out_of_memory', signal: 'SIGKILL' }],
  ] as const)(
    'that loses its sandbox (%s, out of memory: %s) says how',
    async (cause, oomKilled, expected) => {
      const world = new World();
      const submitted = await world.executor.execute(REQUEST);
      const job = await world.started(submitted);
      job.sink.onOutput('stderr', Buffer.alloc(7));
      job.lose({ cause, message: 'gone', oomKilled });
      const end = ended(await all(submitted));
      expect(end).toMatchObject({ ...expected, truncated: true, message: 'gone' });
      expect(end.usage.stderrBytes).toBe(7);
    },
  );

  it('whose sandbox is taken away by its pool is cancelled', async () => {
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    await world.started(submitted);
    world.leases[0]!.onRevoked?.();
    expect(ended(await all(submitted))).toMatchObject({
      reason: 'cancelled',
      cancelCause: 'sandbox_deleted',
    });
  });
});

describe('a cancel', () => {
  const NO_ID = { requestId: '', digest: '' };

  it('takes a queued execution out of the queue', async () => {
    const world = new World();
    world.isFull = true;
    const submitted = await world.executor.execute(REQUEST);
    await world.executor.cancel('default', submitted.executionId, 0, NO_ID);
    await expect(all(submitted)).rejects.toMatchObject({ reason: 'CANCELLED' });
    const { record } = await world.directory.get('default', submitted.executionId);
    expect(record).toMatchObject({ state: 'failed', failure: { reason: 'CANCELLED' } });
  });

  it('kills at once without grace, and answers an ended execution as it is', async () => {
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    const job = await world.started(submitted);
    await world.executor.cancel('default', submitted.executionId, 0, NO_ID);
    expect(job.signals).toEqual([]);
    expect(ended(await all(submitted))).toMatchObject({ reason: 'cancelled', cancelCause: 'requested' });
    const before = await world.directory.get('default', submitted.executionId);
    await world.executor.cancel('default', submitted.executionId, 0, NO_ID);
    expect(await world.directory.get('default', submitted.executionId)).toEqual(before);
  });

  it('with grace asks first: what ends by itself then is cancelled, and says how it went', async () => {
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    const job = await world.started(submitted);
    const cancelled = world.executor.cancel('default', submitted.executionId, 60_000, NO_ID);
    expect(job.signals).toEqual([15]);
    job.exit('exited', 3);
    await cancelled;
    expect(ended(await all(submitted))).toMatchObject({
      reason: 'cancelled',
      cancelCause: 'requested',
      exitCode: undefined,
      message: 'after SIGTERM it exited with code 3',
    });
  });

  it('is refused while those that wait hold too much input', async () => {
    const world = new World(undefined, 'life-1', { maxWaitingBytes: 10_000 });
    world.isFull = true;
    const large = { ...REQUEST, cancelOnDisconnect: false, stdin: new Uint8Array(10_000) };
    const { executionId } = await world.executor.execute(large);
    for (const request of [REQUEST, { ...REQUEST, requestId: 'd1', durable: true }])
      await expect(world.executor.execute(request)).rejects.toMatchObject({ reason: 'OVERLOADED' });
    expect([...world.store.rows.values()].filter(({ durable }) => durable)).toEqual([]);
    await world.executor.cancel('default', executionId, 0, NO_ID);
    world.isFull = false;
    (await world.started(await world.executor.execute(REQUEST))).exit('exited', 0);
  });

  it('lets go of what went in when it never starts', async () => {
    const world = new World();
    world.isFull = true;
    const request = { ...REQUEST, stdin: new Uint8Array(100), env: { A: 'b' }, argv: ['main.py'] };
    const { execution, executionId } = await world.executor.execute(request);
    expect(execution?.request.stdin).toHaveLength(100);
    await world.executor.cancel('default', executionId, 0, NO_ID);
    expect(execution?.request).toMatchObject({ code: undefined, files: [], argv: [], env: {} });
    expect(execution?.request.stdin).toHaveLength(0);
  });

  it('with grace kills when that is over', async () => {
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    const job = await world.started(submitted);
    await world.executor.cancel('default', submitted.executionId, 1, NO_ID);
    expect(job.signals).toEqual([15]);
    expect(ended(await all(submitted))).toMatchObject({ reason: 'cancelled' });
  });

  it('asked for again with less grace kills when that is over', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    await vi.advanceTimersByTimeAsync(1);
    const first = world.executor.cancel('default', submitted.executionId, 60_000, NO_ID);
    const second = world.executor.cancel('default', submitted.executionId, 1_000, NO_ID);
    const third = world.executor.cancel('default', submitted.executionId, 30_000, NO_ID);
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all([first, second, third]);
    expect(ended(await all(submitted))).toMatchObject({ reason: 'cancelled' });
  });

  it('of a runner that does not answer takes its sandbox away', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    await vi.advanceTimersByTimeAsync(1);
    world.jobs[0]!.sink.onStarted('spare', '');
    world.jobs[0]!.deaf = true;
    const cancelled = world.executor.cancel('default', submitted.executionId, 0, NO_ID);
    await vi.advanceTimersByTimeAsync(5_000);
    await cancelled;
    expect(world.destroyed).toBe(1);
    expect(ended(await all(submitted))).toMatchObject({ reason: 'cancelled', truncated: true });
  });

  it('is repeated under its request id, and not for another execution', async () => {
    const world = new World();
    const first = await world.executor.execute(REQUEST);
    await world.started(first);
    await world.executor.cancel('default', first.executionId, 0, { requestId: 'c', digest: '1' });
    await world.executor.cancel('default', first.executionId, 0, { requestId: 'c', digest: '1' });
    await expect(
      world.executor.cancel('default', first.executionId, 0, { requestId: 'c', digest: '2' }),
    ).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    await expect(world.executor.execute({ ...REQUEST, requestId: 'c' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });

  it("finds nothing of another tenant's", async () => {
    const world = new World();
    const submitted = await world.executor.execute(REQUEST);
    await expect(world.executor.cancel('other', submitted.executionId, 0, NO_ID)).rejects.toMatchObject({
      reason: 'EXECUTION_NOT_FOUND',
    });
    await expect(world.executor.attach('other', submitted.executionId)).rejects.toMatchObject({
      reason: 'EXECUTION_NOT_FOUND',
    });
    (await world.started(submitted)).exit('exited', 0);
  });
});

describe('a repeated request id', () => {
  const WITH_ID = { ...REQUEST, requestId: 'r1' };

  it('never runs again, also when the events are gone', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World(undefined, 'life-1', { retainMs: 1_000 });
    const first = await world.executor.execute(WITH_ID);
    await vi.advanceTimersByTimeAsync(1);
    world.jobs[0]!.sink.onStarted('spare', '');
    world.jobs[0]!.sink.onOutput('stdout', Buffer.from('x'));
    world.jobs[0]!.exit('exited', 0);
    const whole = await all(first);
    const again = await world.executor.execute(WITH_ID);
    expect(again).toMatchObject({ executionId: first.executionId, replayed: true });
    expect(await all(again)).toEqual(whole);
    await vi.advanceTimersByTimeAsync(3_000);
    const late = await world.executor.execute(WITH_ID);
    expect(late).toMatchObject({ executionId: first.executionId, replayed: true, execution: undefined });
    await expect(all(late)).rejects.toMatchObject({ reason: 'HISTORY_GONE', metadata: { first_seq: '3' } });
    // How it ended is still told to who has the rest.
    expect((await all(late, 2)).map((e) => [e.seq, e.body.type])).toEqual([[3, 'ended']]);
    expect(await all(late, 3)).toEqual([]);
    expect(world.jobs).toHaveLength(1);
    await expect(world.executor.execute({ ...WITH_ID, digest: 'other' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });

  it('is found in the store when memory has forgotten it', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World(undefined, 'life-1', { maxRequestIds: 2 });
    const ids: string[] = [];
    for (const requestId of ['r1', 'r2', 'r3']) {
      const submitted = await world.executor.execute({ ...REQUEST, requestId });
      ids.push(submitted.executionId);
      await vi.advanceTimersByTimeAsync(300);
      world.jobs.at(-1)!.exit('exited', 0);
      await vi.advanceTimersByTimeAsync(300);
    }
    expect((await world.executor.execute(WITH_ID)).executionId).toBe(ids[0]);
    world.store.away = new BerthError('STORE_UNAVAILABLE', 'away');
    // Whether it ran before cannot be told: it does not run.
    await expect(world.executor.execute({ ...REQUEST, requestId: 'r-new' })).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
    });
    expect(world.jobs).toHaveLength(3);
  });

  it('goes on with what runs when memory has forgotten it', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World(undefined, 'life-1', { maxRequestIds: 2 });
    const first = await world.executor.execute({ ...REQUEST, requestId: 'r1' });
    const durable = await world.executor.execute({ ...REQUEST, requestId: 'r2', durable: true });
    await vi.advanceTimersByTimeAsync(300);
    const jobs = [...world.jobs];
    for (const requestId of ['r3', 'r4']) await world.executor.execute({ ...REQUEST, requestId });
    const again = await world.executor.execute({ ...REQUEST, requestId: 'r1' });
    expect(again).toMatchObject({ replayed: true, execution: first.execution });
    const durableAgain = await world.executor.execute({ ...REQUEST, requestId: 'r2', durable: true });
    expect(durableAgain).toMatchObject({ replayed: true, execution: durable.execution });
    for (const job of jobs) job.exit('exited', 0);
    expect(ended(await all(again))).toMatchObject({ reason: 'exited' });
    expect(ended(await all(durableAgain))).toMatchObject({ reason: 'exited' });
  });

  it('gets the first failure again', async () => {
    const world = new World();
    world.isFull = true;
    const first = await world.executor.execute(WITH_ID);
    await expect.poll(() => world.waiting).toHaveLength(1);
    world.waiting[0]!.grant.reject(new BerthError('POOL_EXHAUSTED', 'full'));
    await expect(all(first)).rejects.toMatchObject({ reason: 'POOL_EXHAUSTED' });
    await expect(all(await world.executor.execute(WITH_ID))).rejects.toMatchObject({
      reason: 'POOL_EXHAUSTED',
    });
    expect(world.waiting).toHaveLength(1);
  });
});

describe('a durable execution', () => {
  const DURABLE = { ...REQUEST, requestId: 'd1', durable: true };

  it('is committed before it runs, and once for repeats at the same time', async () => {
    const world = new World();
    const both = await Promise.all([world.executor.execute(DURABLE), world.executor.execute(DURABLE)]);
    expect(both.map(({ replayed }) => replayed).sort()).toEqual([false, true]);
    expect(both[0].executionId).toBe(both[1].executionId);
    expect(world.store.rows.get(both[0].executionId)).toMatchObject({ durable: true, state: 'queued' });
    (await world.started(both[0])).exit('exited', 0);
    expect(world.jobs).toHaveLength(1);
  });

  it('does not run when it cannot be committed', async () => {
    const world = new World();
    world.store.away = new BerthError('STORE_UNAVAILABLE', 'away');
    await expect(world.executor.execute(DURABLE)).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    expect(world.jobs).toHaveLength(0);
    world.store.away = undefined;
    (await world.started(await world.executor.execute(DURABLE))).exit('exited', 0);
  });

  it('runs once when it is not known whether the commit came through', async () => {
    const world = new World();
    world.store.breakNextClaim = true;
    await expect(world.executor.execute(DURABLE)).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    const submitted = await world.executor.execute(DURABLE);
    expect(submitted.replayed).toBe(false);
    expect([...world.store.rows.keys()]).toEqual([submitted.executionId]);
    (await world.started(submitted)).exit('exited', 0);
  });

  it('answers as lost in the next life, and never runs again', async () => {
    const first = new World();
    const submitted = await first.executor.execute(DURABLE);
    await first.started(submitted);
    await first.recorder.close(0);

    const next = new World(first.store, 'life-2');
    const again = await next.executor.execute(DURABLE);
    expect(again).toMatchObject({ executionId: submitted.executionId, replayed: true });
    const events = await all(again);
    expect(events.map((e) => [e.seq, e.body.type])).toEqual([
      [1, 'started'],
      [2, 'ended'],
    ]);
    expect(ended(events)).toMatchObject({ reason: 'sandbox_lost', lostCause: 'daemon_crashed' });
    // Whoever had read on gets the end behind what was read.
    const attached = await next.executor.attach('default', submitted.executionId);
    expect((await all(attached, 57)).map((e) => e.seq)).toEqual([58]);
    await expect(next.executor.execute({ ...DURABLE, digest: 'other' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    expect(next.jobs).toHaveLength(0);
  });
});

describe('ListExecutions', () => {
  it('has what is in memory over what is stored, once each, newest first, in pages', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const world = new World(undefined, 'life-1', { retainMs: 0 });
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const submitted = await world.executor.execute({
        ...REQUEST,
        labels: { parity: i % 2 === 0 ? 'even' : 'odd' },
      });
      ids.unshift(submitted.executionId);
      await vi.advanceTimersByTimeAsync(5);
      world.jobs.at(-1)!.sink.onStarted('spare', '');
      if (i < 4) world.jobs.at(-1)!.exit('exited', 0);
      await vi.advanceTimersByTimeAsync(300);
    }
    // Ended in memory, still running in the store.
    world.jobs.at(-1)!.exit('exited', 0);
    await vi.advanceTimersByTimeAsync(1);
    const seen: string[] = [];
    let token = '';
    do {
      const page = await world.directory.list({ tenant: 'default' }, 3, token);
      seen.push(...page.items.map(({ record }) => record.id));
      token = page.nextPageToken;
    } while (token !== '');
    expect(seen).toEqual(ids);
    const list = async (filter: object): Promise<string[]> =>
      (await world.directory.list({ tenant: 'default', ...filter }, 10, '')).items.map(
        ({ record }) => record.id,
      );
    expect(await list({ state: 'running' })).toEqual([ids[1], ids[2]]);
    expect(await list({ endReason: 'exited', labels: { parity: 'even' } })).toEqual([ids[0], ids[4], ids[6]]);
    expect(await list({ tenant: 'other' })).toEqual([]);
  });
});
