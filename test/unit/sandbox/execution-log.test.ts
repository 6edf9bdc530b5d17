import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import type { EndedBody, ExecutionEvent } from '../../../src/domain/sandbox/execution.js';
import { ExecutionLog, type HistoryOptions } from '../../../src/domain/sandbox/execution-log.js';
import { SpillSpace } from '../../../src/domain/sandbox/history-spill.js';
import { SilentLogger } from '../../support/silent-logger.js';

const ENDED: EndedBody = {
  type: 'ended',
  reason: 'exited',
  exitCode: 0,
  signal: '',
  message: '',
  usage: {
    wallMs: 1,
    userCpuMs: 1,
    systemCpuMs: 0,
    peakMemoryBytes: 0,
    peakMemorySource: 'none',
    stdoutBytes: 0,
    stderrBytes: 0,
    oomKills: 0,
  },
  truncated: false,
  cancelCause: undefined,
  lostCause: undefined,
  receipt: undefined,
};

const output = (bytes: number) => ({
  type: 'output' as const,
  stream: 'stdout' as const,
  data: new Uint8Array(bytes),
});

async function collect(events: AsyncIterable<ExecutionEvent>): Promise<ExecutionEvent[]> {
  const all: ExecutionEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const directories: string[] = [];
afterAll(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true }))));

async function space(bytes: { bytesEach?: number; bytesTotal?: number } = {}): Promise<SpillSpace> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-log-'));
  directories.push(directory);
  return new SpillSpace({
    directory: join(directory, 'spill'),
    bytesEach: 1 << 30,
    bytesTotal: 1 << 30,
    logger: new SilentLogger(),
    ...bytes,
  });
}

function newLog(
  options: Partial<HistoryOptions> = {},
  onConsumed: (bytes: number) => void = () => undefined,
): ExecutionLog {
  const history = { retainBytes: 1_000_000, spill: undefined, keepOlder: false, ...options };
  return new ExecutionLog('exec-1', history, onConsumed);
}

/** Appends until the log asks for no more, as a sandbox with this credit does; then the end. */
class Producer {
  #credit: number;
  #asked: (() => void) | undefined;
  readonly log: ExecutionLog;

  constructor(credit: number, options: Partial<HistoryOptions>) {
    this.#credit = credit;
    this.log = newLog(options, (bytes) => {
      this.#credit += bytes;
      this.#asked?.();
    });
  }

  async write(count: number, bytes: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      while (this.#credit < bytes) await new Promise<void>((resolve) => (this.#asked = resolve));
      this.#credit -= bytes;
      this.log.append({ ...output(bytes), data: new Uint8Array(bytes).fill(i) });
    }
    this.log.append(ENDED);
  }
}

/** In vi.waitFor, whose own default is one second. */
const PATIENTLY = { timeout: 60_000 };

describe('ExecutionLog', () => {
  it('gives every reader every event in order, early and late', async () => {
    const log = newLog();
    const early = collect(log.read(0));
    log.append(output(3));
    log.append(output(4));
    log.append(ENDED);
    const late = collect(log.read(1));
    expect((await early).map((e) => [e.seq, e.body.type])).toEqual([
      [1, 'output'],
      [2, 'output'],
      [3, 'ended'],
    ]);
    expect((await late).map((e) => e.seq)).toEqual([2, 3]);
  });

  it('lets the producer go on when the fastest reader has taken what was sent', async () => {
    let granted = 0;
    const log = newLog({}, (bytes) => (granted += bytes));
    const fast = log.read(0)[Symbol.asyncIterator]();
    const slow = log.read(0)[Symbol.asyncIterator]();
    const slowFirst = slow.next();
    const fastFirst = fast.next();
    log.append(output(100));
    await fastFirst;
    await slowFirst;
    log.append(output(50));
    await fast.next();
    expect(granted).toBe(100);
    // The slow one alone holds the producer back, from where the fast one left.
    await fast.return?.(undefined);
    const before = granted;
    log.append(output(7));
    await slow.next();
    await slow.next();
    expect(granted).toBe(before + 50);
    await slow.return?.(undefined);
    expect(granted).toBe(157);
  });

  it('counts output as taken when nobody reads', () => {
    let granted = 0;
    const log = newLog({}, (bytes) => (granted += bytes));
    log.append(output(10));
    expect(granted).toBe(10);
  });

  it('stops its producer when its only reader takes nothing, with no more in memory than the credit', async () => {
    const producer = new Producer(10_000, { retainBytes: 1_000, spill: await space() });
    const stalled = producer.log.read(0)[Symbol.asyncIterator]();
    const first = stalled.next();
    const done = producer.write(100, 1_000);
    await first;
    await new Promise(setImmediate);
    expect(producer.log.lastSeq).toBe(10);
    await stalled.return?.(undefined);
    await done;
  });

  it('keeps what was taken within its bound, and says when history is gone', async () => {
    const log = newLog({ retainBytes: 10_000 });
    for (let i = 0; i < 100; i++) log.append(output(1_000));
    log.append(ENDED);
    await expect(collect(log.read(0))).rejects.toMatchObject({ reason: 'HISTORY_GONE' });
    expect((await collect(log.read(99))).map((e) => e.seq)).toEqual([100, 101]);
    expect(log.oldestSeq).toBeGreaterThan(90);
    expect(log.bytes).toBeLessThanOrEqual(10_000);
  });

  it('keeps what a stalled reader still wants on disk, while another reader drives the execution', async () => {
    const spill = await space();
    const producer = new Producer(20_000, { retainBytes: 10_000, spill });
    const stalled = producer.log.read(0)[Symbol.asyncIterator]();
    const first = stalled.next();
    const writing = producer.write(500, 1_000);
    expect((await first).value).toMatchObject({ seq: 1 });
    const fast = await collect(producer.log.read(0));
    await writing;
    expect(fast.map((e) => e.seq)).toEqual(Array.from({ length: 501 }, (_, i) => i + 1));
    expect(producer.log.bytes).toBeLessThanOrEqual(31_000);
    expect(spill.used).toBeGreaterThan(450_000);
    const seqs: number[] = [];
    for (;;) {
      const { value, done } = await stalled.next();
      if (done === true) break;
      seqs.push(value.seq);
      if (value.body.type === 'output') expect(value.body.data[0]).toBe((value.seq - 1) % 256);
    }
    expect(seqs).toEqual(Array.from({ length: 500 }, (_, i) => i + 2));
    producer.log.dispose();
    await removed(spill);
  });

  it('keeps older events on disk for those who may come back, and removes them when it is let go', async () => {
    const spill = await space();
    const log = newLog({ retainBytes: 10_000, spill, keepOlder: true });
    for (let i = 0; i < 100; i++) log.append(output(1_000));
    log.append(ENDED);
    expect((await collect(log.read(0))).map((e) => e.seq)).toEqual(
      Array.from({ length: 101 }, (_, i) => i + 1),
    );
    await expect.poll(async () => (await readdir(spill.options.directory)).length).toBeGreaterThan(0);
    log.dispose();
    await expect(collect(log.read(0))).rejects.toMatchObject({ reason: 'HISTORY_GONE' });
    await removed(spill);
  });

  it.each([{ bytesEach: 40_000 }, { bytesTotal: 40_000 }])(
    'gives up its oldest events first when there is no more room on disk: %j',
    async (bytes) => {
      const spill = await space(bytes);
      let granted = 0;
      const log = newLog({ retainBytes: 10_000, spill, keepOlder: true }, (taken) => (granted += taken));
      for (let i = 1; i <= 100; i++) {
        log.append(output(1_000));
        await expect.poll(() => granted, { interval: 1 }).toBe(i * 1_000);
      }
      log.append(ENDED);
      // One chunk may still be on its way to the disk, and make room there.
      await vi.waitFor(async () => {
        const gone = await collect(log.read(0)).catch((error: unknown) => error);
        expect(gone).toMatchObject({ reason: 'HISTORY_GONE' });
        const first = Number((gone as BerthError).metadata['first_seq']);
        expect(first).toBeLessThan(90);
        expect(log.oldestSeq).toBe(first);
        expect((await collect(log.read(first - 1))).map((e) => e.seq)).toEqual(
          Array.from({ length: 102 - first }, (_, i) => first + i),
        );
      }, PATIENTLY);
      expect(spill.used).toBeLessThanOrEqual(40_000);
    },
  );

  it('goes on with a shorter history when the disk refuses', async () => {
    const spill = await space();
    await writeFile(spill.options.directory, 'a file where the directory should be');
    let granted = 0;
    const log = newLog({ retainBytes: 10_000, spill, keepOlder: true }, (bytes) => (granted += bytes));
    for (let i = 0; i < 100; i++) log.append(output(1_000));
    log.append(ENDED);
    await expect.poll(() => granted).toBe(100_000);
    await expect(collect(log.read(0))).rejects.toMatchObject({ reason: 'HISTORY_GONE' });
    expect((await collect(log.read(99))).map((e) => e.seq)).toEqual([100, 101]);
  });

  it('refuses to read behind its newest event', async () => {
    const log = newLog();
    log.append(output(1));
    await expect(collect(log.read(2))).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT' });
  });

  it('fails its readers with what kept the execution from starting', async () => {
    const log = newLog();
    const reading = collect(log.read(0));
    log.fail(new BerthError('POOL_EXHAUSTED', 'none free'));
    await expect(reading).rejects.toMatchObject({ reason: 'POOL_EXHAUSTED' });
    await expect(collect(log.read(0))).rejects.toMatchObject({ reason: 'POOL_EXHAUSTED' });
  });

  it('stops reading when the reader is cancelled', async () => {
    const log = newLog();
    const abort = new AbortController();
    const reading = collect(log.read(0, abort.signal));
    abort.abort();
    await expect(reading).rejects.toMatchObject({ reason: 'CANCELLED' });
  });
});

async function removed(spill: SpillSpace): Promise<void> {
  await expect.poll(() => spill.used).toBe(0);
  await expect.poll(() => readdir(spill.options.directory)).toEqual([]);
}
