import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BerthError } from '../../../src/domain/errors.js';
import type { ExecutionRecord } from '../../../src/domain/sandbox/execution-record.js';
import { ExecutionRecorder, type RecorderOptions } from '../../../src/domain/sandbox/execution-recorder.js';
import { FakeExecutionStore } from '../../support/fake-execution-store.js';
import { SilentLogger } from '../../support/silent-logger.js';

const OF = { owner: 'berth', life: 'life-2' };

function aRecord(id: string, change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return {
    id,
    tenant: 'default',
    requestId: '',
    digest: '',
    durable: false,
    state: 'queued',
    createdAt: 1,
    startedAt: null,
    endedAt: null,
    taskId: '',
    labels: {},
    started: null,
    ended: null,
    lastSeq: 0,
    failure: null,
    ...change,
  };
}

function recorded(record: ExecutionRecord): { id: string; tenant: string; record(): ExecutionRecord } {
  return { id: record.id, tenant: record.tenant, record: () => ({ ...record }) };
}

let store: FakeExecutionStore;
beforeEach(() => {
  vi.useFakeTimers();
  store = new FakeExecutionStore();
});
afterEach(() => void vi.useRealTimers());

function newRecorder(change: Partial<RecorderOptions> = {}): ExecutionRecorder {
  return new ExecutionRecorder({
    store,
    of: OF,
    logger: new SilentLogger(),
    maxPending: 1_000,
    keepMs: 1_000,
    keepCount: 1_000,
    ...change,
  });
}

describe('ExecutionRecorder', () => {
  it('writes an execution once however often it changed, and as it then is', async () => {
    const recorder = newRecorder();
    const record = aRecord('exec-1');
    const source = recorded(record);
    source.record = () => ({ ...record });
    recorder.note(source);
    record.state = 'running';
    recorder.note(source);
    expect(store.batches).toEqual([]);
    record.state = 'ended';
    await vi.advanceTimersByTimeAsync(250);
    expect(store.batches).toEqual([['exec-1']]);
    expect(store.rows.get('exec-1')?.state).toBe('ended');
  });

  it('writes in bounded batches', async () => {
    const recorder = newRecorder();
    for (let i = 0; i < 250; i++) recorder.note(recorded(aRecord(`exec-${i}`)));
    await vi.advanceTimersByTimeAsync(250);
    expect(store.batches.map((batch) => batch.length)).toEqual([100, 100, 50]);
    expect([...recorder.unwritten()]).toEqual([]);
  });

  it('waits for a database that is away, says so, and still knows what is unwritten', async () => {
    const recorder = newRecorder();
    store.away = new BerthError('STORE_UNAVAILABLE', 'MySQL does not answer');
    recorder.note(recorded(aRecord('exec-1')));
    await vi.advanceTimersByTimeAsync(250);
    expect(recorder.problem).toMatch(/1 records .* wait for the database: MySQL does not answer/);
    expect(recorder.get('default', 'exec-1')?.id).toBe('exec-1');
    expect(recorder.get('other', 'exec-1')).toBeUndefined();
    store.away = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.batches).toEqual([['exec-1']]);
    expect(recorder.problem).toBe('');
  });

  it('keeps no more than its bound meanwhile', async () => {
    const recorder = newRecorder({ maxPending: 3 });
    store.away = new BerthError('STORE_UNAVAILABLE', 'away');
    for (let i = 0; i < 5; i++) recorder.note(recorded(aRecord(`exec-${i}`)));
    await vi.advanceTimersByTimeAsync(250);
    expect(recorder.problem).toMatch(/2 records of executions were dropped/);
    store.away = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.batches).toEqual([['exec-2', 'exec-3', 'exec-4']]);
  });

  it('writes everything before it closes', async () => {
    const recorder = newRecorder();
    for (let i = 0; i < 150; i++) recorder.note(recorded(aRecord(`exec-${i}`)));
    await recorder.close(1_000);
    expect(store.rows.size).toBe(150);
  });

  it('does not let a record that is refused hold up the others', async () => {
    const recorder = newRecorder();
    const save = store.save.bind(store);
    store.save = (of, records) =>
      records.some(({ id }) => id === 'exec-bad')
        ? Promise.reject(new Error('data too long'))
        : save(of, records);
    for (const id of ['exec-1', 'exec-bad', 'exec-2']) recorder.note(recorded(aRecord(id)));
    await vi.advanceTimersByTimeAsync(250);
    expect([...store.rows.keys()]).toEqual(['exec-1', 'exec-2']);
    expect(recorder.problem).toBe('');
  });

  it('ends what an earlier life left, before it writes anything, and nothing of another owner', async () => {
    const left = { ...aRecord('exec-left', { state: 'running' }), owner: 'berth', life: 'life-1' };
    const others = { ...aRecord('exec-other', { state: 'running' }), owner: 'elsewhere', life: 'life-x' };
    store.rows.set(left.id, left).set(others.id, others);
    store.away = new BerthError('STORE_UNAVAILABLE', 'away');
    const recorder = newRecorder();
    recorder.start();
    await vi.advanceTimersByTimeAsync(1);
    expect(left.state).toBe('running');
    store.away = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(left).toMatchObject({
      state: 'ended',
      ended: { reason: 'sandbox_lost', lostCause: 'daemon_crashed' },
    });
    expect(others.state).toBe('running');
    await recorder.close(0);
  });
});
