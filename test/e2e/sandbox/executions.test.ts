import { readdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store } from '#dist/src/store/open-store.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  BerthRpcError,
  CancelCause,
  connect,
  EndReason,
  ExecutionState,
  LostCause,
  type BerthClient,
  type DeepPartial,
  type ExecuteEvent,
  type ExecuteRequest,
} from '../../../clients/typescript/src/index.js';
import { docker } from '../../support/docker-cli.js';
import { SilentLogger } from '../../support/silent-logger.js';
import { startDaemon, type TestDaemon } from '../../support/daemon.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';
import { failure } from '../../support/rpc-failure.js';

const MIB = 1024 * 1024;
const FOREVER = 'import time\nprint("up", flush=True)\ntime.sleep(600)';

let daemon: TestDaemon;
let client: BerthClient;
daemonOfFile(
  {
    env: { BERTH_SANDBOX_RETAIN_BYTES: `${MIB}`, BERTH_SANDBOX_MAX_CPU_MILLIS: '1000' },
  },
  (started) => ({ daemon, client } = started),
);

type Request = DeepPartial<ExecuteRequest>;
const python = (value: string): Request => ({ language: 'python', source: { $case: 'code', value } });
type Ended = Extract<NonNullable<ExecuteEvent['event']>, { $case: 'ended' }>['value'];

/** Starts an execution that outlives its call, and resolves when it has written its first line. */
async function detached(request: Request, by = client): Promise<string> {
  let executionId = '';
  for await (const { event } of by.execute({ ...request, cancelOnDisconnect: false })) {
    if (event?.$case === 'started') executionId = event.value.executionId;
    if (event?.$case === 'output') break;
  }
  return executionId;
}

async function all(events: AsyncIterable<ExecuteEvent>): Promise<ExecuteEvent[]> {
  const list: ExecuteEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

function endOf(events: ExecuteEvent[]): Ended {
  const event = events.at(-1)?.event;
  if (event?.$case !== 'ended') throw new Error('the last event is not the terminal one');
  return event.value;
}

function outputOf(events: ExecuteEvent[]): Buffer {
  return Buffer.concat(
    events.map(({ event }) => (event?.$case === 'output' ? event.value.data : Buffer.alloc(0))),
  );
}

const get = async (executionId: string, by = client) =>
  (await by.sandbox.getExecution({ executionId })).execution!;

describe('an execution that outlives its call', () => {
  it('is read by several readers at once, early and late, each from where it wants', async () => {
    const executionId = await detached({
      ...python('import sys\nprint("a", flush=True)\nfor line in sys.stdin: print(line, end="", flush=True)'),
      stdin: Buffer.from('b\nc\n'),
    });
    const [one, two] = await Promise.all([
      all(client.attach({ executionId })),
      all(client.attach({ executionId, afterSeq: 1 })),
    ]);
    expect(outputOf(one).toString()).toBe('a\nb\nc\n');
    expect(one.map(({ seq }) => seq)).toEqual(one.map((_, i) => i + 1));
    expect(two).toEqual(one.slice(1));
    expect(await all(client.attach({ executionId }))).toEqual(one);
    expect(await all(client.attach({ executionId, afterSeq: one.length }))).toEqual([]);
    expect((await failure(all(client.attach({ executionId, afterSeq: 10_000 })))).violations).toEqual([
      { field: 'after_seq', rule: expect.stringContaining('must be at most') },
    ]);
    expect(await get(executionId)).toMatchObject({
      state: ExecutionState.ENDED,
      oldestSeq: 1,
      lastSeq: one.length,
      ended: { reason: EndReason.EXITED, exitCode: 0 },
    });
  });

  it('goes on for a reader that keeps up while another never reads, in bounded memory', async () => {
    const blocks = 160;
    const code = `
import sys
for i in range(${blocks}): sys.stdout.buffer.write(bytes([i]) * ${MIB})`;
    const limits = { outputBytes: 192 * MIB };
    // What the daemon's heap grows by once, it has grown by.
    const warmUp = { ...python(code.replace(String(blocks), '20')), limits };
    await client.run(warmUp, { maxCollectedBytes: 0 });
    const request = { ...python(code), limits, requestId: 'never-reads' };
    // The caller takes one event and then no more; its window in the daemon and in gRPC fills up.
    const stalled = client.execute(request)[Symbol.asyncIterator]();
    const first = await stalled.next();
    const started = (first.value as ExecuteEvent).event;
    if (started?.$case !== 'started') throw new Error('not started');
    const { executionId } = started.value;
    const before = residentBytes(daemon.process.pid!);
    using other = connect({ address: daemon.address });
    let bytes = 0;
    for await (const { event } of other.attach({ executionId })) {
      if (event?.$case === 'output') {
        expect(event.value.data[0]).toBe(Math.floor(bytes / MIB));
        bytes += event.value.data.length;
      }
      if (event?.$case === 'ended') expect(event.value.reason).toBe(EndReason.EXITED);
    }
    expect(bytes).toBe(blocks * MIB);
    // Far from what was written, and far beyond what the collector leaves for later.
    expect(residentBytes(daemon.process.pid!) - before).toBeLessThan((blocks * MIB) / 2);
    // What the stalled caller has not taken is on disk; it still gets everything.
    const directory = join(daemon.stateDir, 'executions', daemon.owner);
    expect((await readdir(directory)).length).toBeGreaterThan(0);
    let late = 0;
    for (let next = await stalled.next(); next.done !== true; next = await stalled.next()) {
      const { event } = next.value;
      if (event?.$case === 'output') late += event.value.data.length;
    }
    expect(late).toBe(blocks * MIB);
  });

  it('holds its sandbox back for its only reader, and says when history is gone', async () => {
    const code = `
import os, sys
for i in range(40):
    os.write(1, b"x" * ${MIB})
    os.write(2, b".")`;
    const events = client.execute({ ...python(code), limits: { outputBytes: 64 * MIB } });
    let executionId = '';
    for await (const { event } of events) {
      if (event?.$case !== 'started') continue;
      ({ executionId } = event.value);
      // Nobody takes anything now: what it wrote stays within credit and windows.
      let seq = -1;
      for (let now = (await get(executionId)).lastSeq; now !== seq; now = (await get(executionId)).lastSeq) {
        seq = now;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect((await get(executionId)).state).toBe(ExecutionState.RUNNING);
    }
    // It was read, had no request id and nobody waited: its beginning is not kept.
    const gone = await failure(all(client.attach({ executionId })));
    expect(gone.reason).toBe('HISTORY_GONE');
    const afterSeq = Number(gone.metadata['first_seq']) - 1;
    expect(endOf(await all(client.attach({ executionId, afterSeq }))).reason).toBe(EndReason.EXITED);
  });
});

describe('CancelExecution', () => {
  it('kills at once, answers the ended execution, and what has ended as it is', async () => {
    const executionId = await detached(python(FOREVER));
    const cancel = { executionId, requestId: 'cancel-1' };
    const { execution } = await client.sandbox.cancelExecution(cancel);
    expect(execution).toMatchObject({
      state: ExecutionState.ENDED,
      ended: { reason: EndReason.CANCELLED, cancelCause: CancelCause.REQUESTED },
    });
    expect((await client.sandbox.cancelExecution(cancel)).execution).toEqual(execution);
    const other = { ...cancel, executionId: await detached(python('print(1, flush=True)')) };
    expect((await failure(client.sandbox.cancelExecution(other))).reason).toBe('REQUEST_ID_REUSED');
  });

  it('with grace lets the program clean up', async () => {
    const code = `
import signal, sys, time
def stop(*_):
    print("cleaned up", flush=True)
    sys.exit(4)
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
time.sleep(600)`;
    const executionId = await detached(python(code));
    const { execution } = await client.sandbox.cancelExecution({ executionId, graceMs: 30_000 });
    expect(execution?.ended).toMatchObject({
      reason: EndReason.CANCELLED,
      message: 'after SIGTERM it exited with code 4',
    });
    expect(outputOf(await all(client.attach({ executionId }))).toString()).toBe('up\ncleaned up\n');
  });

  it('kills what ignores SIGTERM when the grace is over', async () => {
    const code = `import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${FOREVER}`;
    const executionId = await detached(python(code));
    const { execution } = await client.sandbox.cancelExecution({ executionId, graceMs: 100 });
    expect(execution?.ended).toMatchObject({ reason: EndReason.CANCELLED, signal: expect.any(String) });
  });

  it('at random instants leaves the pool as it was', async () => {
    const cancelled = await Promise.all(
      Array.from({ length: 120 }, async (_, i) => {
        const abort = new AbortController();
        const events = client.execute(
          { ...python(FOREVER), acquireTimeoutMs: 100_000 },
          { signal: abort.signal },
        );
        const reading = (async () => {
          for await (const { event } of events) {
            if (event?.$case !== 'started') continue;
            if (i % 3 === 0) abort.abort();
            else if (i % 3 === 1)
              await client.sandbox.cancelExecution({ executionId: event.value.executionId, graceMs: i % 2 });
            else setTimeout(() => abort.abort(), i / 10);
          }
        })();
        await reading.catch((error: unknown) => {
          if (!(error instanceof BerthRpcError) || error.reason === 'POOL_EXHAUSTED') throw error;
        });
        return i;
      }),
    );
    expect(cancelled).toHaveLength(120);
    expect((await client.run(python('print(1)'))).exitCode).toBe(0);
    const busy = async (): Promise<number> => {
      const { pool } = await client.pool.getPool({});
      return pool!.inUseSandboxes + pool!.resettingSandboxes + pool!.waitingExecutions;
    };
    await expect.poll(busy).toBe(0);
    const running = await client.sandbox.listExecutions({ state: ExecutionState.RUNNING });
    expect(running.executions).toEqual([]);
  });
});

describe('records', () => {
  it('are found by every filter, in pages, and only by their tenant', async () => {
    using tenant = connect({ address: daemon.address, tenant: 'records' });
    const labels = { course: 'db-1' };
    const from = new Date();
    const first = await tenant.run({ ...python('print(1)'), labels, requestId: 'rec-1' });
    await tenant.run({ ...python('raise SystemExit(2)'), labels: { ...labels, kind: 'bad' } });
    const running = await detached({ ...python(FOREVER), labels }, tenant);
    await failure(
      tenant.run({ image: 'nobody/has-this:1', source: { $case: 'command', value: { argv: ['true'] } } }),
    );

    const list = async (filter: object) => (await tenant.sandbox.listExecutions(filter)).executions;
    const every = await list({ createdFrom: from });
    expect(every.map(({ state }) => state)).toEqual([
      ExecutionState.FAILED,
      ExecutionState.RUNNING,
      ExecutionState.ENDED,
      ExecutionState.ENDED,
    ]);
    expect(every[0]).toMatchObject({ failureReason: 'IMAGE_NOT_FOUND', failureMessage: expect.any(String) });
    expect(every[3]).toMatchObject({
      executionId: first.started.executionId,
      requestId: 'rec-1',
      labels,
      started: { sandboxId: first.started.sandboxId },
      ended: { exitCode: 0, usage: { stdoutBytes: 2 } },
    });
    expect((await list({ labels })).length).toBe(3);
    expect((await list({ labels: { ...labels, kind: 'bad' } })).map((e) => e.ended?.exitCode)).toEqual([2]);
    expect((await list({ state: ExecutionState.RUNNING })).map((e) => e.executionId)).toEqual([running]);
    expect((await list({ endReason: EndReason.EXITED })).length).toBe(2);
    expect(await list({ createdBefore: from })).toEqual([]);
    expect(await list({ taskId: 'task-1' })).toEqual([]);

    const pages: string[] = [];
    let pageToken = '';
    do {
      const page = await tenant.sandbox.listExecutions({ pageSize: 3, pageToken });
      pages.push(...page.executions.map((e) => e.executionId));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(pages).toEqual(every.map((e) => e.executionId));

    // Another tenant finds none of it.
    for (const work of [
      client.sandbox.getExecution({ executionId: running }),
      client.sandbox.cancelExecution({ executionId: running }),
      all(client.attach({ executionId: running })),
    ])
      expect(await failure(work)).toMatchObject({ code: 5, reason: 'EXECUTION_NOT_FOUND' });
    await tenant.sandbox.cancelExecution({ executionId: running });
  });

  it('tell a deadline from a client that went away', async () => {
    using tenant = connect({ address: daemon.address, tenant: 'causes' });
    const run = async (options: { timeoutMs?: number; signal?: AbortSignal }, label: string) =>
      failure(tenant.run({ ...python(FOREVER), labels: { label } }, options));
    // With a sandbox of its own it does not have to wait for one.
    await tenant.run(python('print(1)'));
    await run({ timeoutMs: 700 }, 'deadline');
    const abort = new AbortController();
    const gone = run({ signal: abort.signal }, 'gone');
    await expect
      .poll(
        async () => (await tenant.sandbox.listExecutions({ labels: { label: 'gone' } })).executions[0]?.state,
      )
      .toBe(ExecutionState.RUNNING);
    abort.abort();
    await gone;
    const cause = async (label: string) =>
      (await tenant.sandbox.listExecutions({ labels: { label } })).executions[0]?.ended?.cancelCause;
    await expect.poll(() => cause('deadline')).toBe(CancelCause.DEADLINE);
    await expect.poll(() => cause('gone')).toBe(CancelCause.DISCONNECTED);
  });

  it('of a sandbox that was killed say so, with what was seen of its usage', async () => {
    const executionId = await detached(python(FOREVER));
    const { started } = await get(executionId);
    await docker('rm', '-f', `berth-${started!.sandboxId}`);
    const end = endOf(await all(client.attach({ executionId })));
    expect(end).toMatchObject({
      reason: EndReason.SANDBOX_LOST,
      lostCause: LostCause.CONTAINER_DIED,
      truncated: true,
      usage: { stdoutBytes: 3 },
    });
    expect(end.usage?.wallMs).toBeGreaterThan(0);
  });
});

describe('limits', () => {
  it('above what is configured are refused by name, and a working directory may be in /dev/shm', async () => {
    const error = await failure(client.run({ ...python('x'), limits: { cpus: 1.5 } }));
    expect(error.violations).toEqual([{ field: 'limits.cpus', rule: 'must be 0 (default) or 0.05 to 1' }]);
    const result = await client.run({ ...python('import os\nprint(os.getcwd())'), cwd: '/dev/shm' });
    expect(result.stdout.toString()).toBe('/dev/shm\n');
  });
});

describe('a crash of the daemon', () => {
  it('ends what ran as lost; durable requests never run again, and records survive a stop', async () => {
    // What runs waits for its sandbox by itself.
    const first = await startDaemon({ waitForPool: false });
    onTestFinished(() => first.dispose());
    const one = connect({ address: first.address });
    const durable = { ...python(FOREVER), requestId: 'durable-1', durable: true };
    const durableId = await detached(durable, one);
    const plainId = await detached(python(FOREVER), one);
    const done = await one.run(python('print(1)'));
    // Records are written behind the executions: what is lost at once is not what this is about.
    await using written = await storeOf(first);
    const stateOf = async (id: string) => (await written.executions.get('default', id))?.state;
    await expect.poll(() => stateOf(plainId)).toBe('running');
    await expect.poll(() => stateOf(done.started.executionId)).toBe('ended');
    await first.kill();
    one.close();

    const second = await first.restart();
    onTestFinished(() => second.dispose());
    using two = connect({ address: second.address });
    const again = await all(two.execute({ ...durable, cancelOnDisconnect: false }));
    expect(again.map(({ event }) => event?.$case)).toEqual(['started', 'ended']);
    expect(endOf(again)).toMatchObject({
      reason: EndReason.SANDBOX_LOST,
      lostCause: LostCause.DAEMON_CRASHED,
    });
    expect(again[0]!.event).toMatchObject({ value: { executionId: durableId, replayed: true } });
    expect(
      (await failure(two.run({ ...durable, ...python('print(2)'), cancelOnDisconnect: false }))).reason,
    ).toBe('REQUEST_ID_REUSED');
    expect(await get(plainId, two)).toMatchObject({
      state: ExecutionState.ENDED,
      ended: { reason: EndReason.SANDBOX_LOST, lostCause: LostCause.DAEMON_CRASHED },
    });
    expect(endOf(await all(two.attach({ executionId: plainId, afterSeq: 2 }))).lostCause).toBe(
      LostCause.DAEMON_CRASHED,
    );
    expect((await get(done.started.executionId, two)).ended?.exitCode).toBe(0);

    // A stop in order loses no record, not even those of the last moment.
    const last = await Promise.all([1, 2, 3, 4, 5].map(() => two.run(python('print(1)'))));
    expect(await second.stop()).toBe(0);
    await using store = await storeOf(second);
    for (const { started } of last)
      expect((await store.executions.get('default', started.executionId))?.state).toBe('ended');
  });
});

/** What is written of a daemon's records, also while it runs. */
function storeOf({ stateDir }: TestDaemon): Promise<Store> {
  return openStore({ sqlitePath: join(stateDir, 'berth.db'), logger: new SilentLogger() });
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
