import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { EndedBody, StartedBody } from '../../../../src/domain/sandbox/execution.js';
import type { ExecutionFilter, ExecutionRecord } from '../../../../src/domain/sandbox/execution-record.js';
import type { Store } from '../../../../src/store/open-store.js';
import type { Subject } from './fixtures.js';

const OF = { owner: 'berth', life: 'life-1' };
const NEXT = { owner: 'berth', life: 'life-2' };

const ENDED: EndedBody = {
  type: 'ended',
  reason: 'exited',
  exitCode: 3,
  signal: '',
  message: "it said 'no' \u0000 and ❄",
  usage: {
    wallMs: 1.5,
    userCpuMs: 1,
    systemCpuMs: 0,
    peakMemoryBytes: 2 ** 40,
    peakMemorySource: 'cgroup_peak',
    stdoutBytes: 1,
    stderrBytes: 2,
    oomKills: 0,
  },
  truncated: false,
  cancelCause: undefined,
  lostCause: undefined,
  receipt: undefined,
};

const LOST: EndedBody = {
  ...ENDED,
  reason: 'sandbox_lost',
  lostCause: 'daemon_crashed',
  exitCode: undefined,
};

function startedIn(sandboxId: string): StartedBody {
  return {
    type: 'started',
    sandboxId,
    poolId: 'pool-1',
    engine: 'docker',
    servedBy: 'pool',
    servedReason: '',
    isolation: 'reuse',
    poolHit: true,
    missReason: undefined,
    acquireMs: 0.25,
    image: 'a@sha256:1',
    language: 'python',
    languageVersion: '3.11.2',
    limitsEnforced: true,
    startPath: 'spare',
    startPathReason: '',
  };
}

function aRecord(change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return {
    id: `exec-${randomBytes(6).toString('hex')}`,
    tenant: 'default',
    requestId: '',
    digest: '',
    durable: false,
    state: 'queued',
    createdAt: 1_700_000_000_000,
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

function ended(change: Partial<ExecutionRecord> = {}): ExecutionRecord {
  return aRecord({ state: 'ended', ended: ENDED, endedAt: 1_700_000_000_100, lastSeq: 2, ...change });
}

async function ids(store: Store, filter: Partial<ExecutionFilter>): Promise<string[]> {
  const records = await store.executions.list({ tenant: 'default', ...filter }, undefined, 100);
  return records.map(({ id }) => id);
}

/** Records of executions. */
export function executionTests(subject: Subject): void {
  describe('executions', () => {
    test('are as they were saved last, and only for their tenant', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const queued = aRecord({ requestId: 'r 1', digest: 'd', labels: { 'a.b': "it's", c: '' } });
      const whole: ExecutionRecord = {
        ...queued,
        state: 'ended',
        startedAt: 1_700_000_000_050,
        endedAt: 1_700_000_000_100,
        started: startedIn('sbx-1'),
        ended: ENDED,
        lastSeq: 12,
      };
      await store.executions.save(OF, [queued]);
      await store.executions.save(OF, [whole]);
      expect(await store.executions.get('default', queued.id)).toEqual(whole);
      expect(await store.executions.get('other', queued.id)).toBeUndefined();
      const failed = aRecord({ state: 'failed', failure: { reason: 'POOL_EXHAUSTED', message: 'full' } });
      await store.executions.save(OF, [failed]);
      expect(await store.executions.get('default', failed.id)).toEqual(failed);
    });

    test('are saved in large batches, again without harm', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const records = Array.from({ length: 600 }, (_, i) =>
        ended({ createdAt: 1_000 + i, labels: { n: `${i}` } }),
      );
      await store.executions.save(OF, records);
      await store.executions.save(OF, records);
      expect((await store.executions.list({ tenant: 'default' }, undefined, 5_000)).length).toBe(600);
      expect(await ids(store, { labels: { n: '7' } })).toEqual([records[7]!.id]);
    });

    test('are listed by every filter, newest first, also those of one instant', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const a = ended({ createdAt: 1_000, started: startedIn('sbx-a'), labels: { x: '1', y: '2' } });
      const b = ended({ createdAt: 2_000, started: startedIn('sbx-b'), labels: { x: '1' }, ended: LOST });
      const c = aRecord({ createdAt: 3_000, state: 'running', taskId: 'task-1' });
      await store.executions.save(OF, [a, b, c, ended({ tenant: 'other' })]);
      expect(await ids(store, {})).toEqual([c.id, b.id, a.id]);
      expect(await ids(store, { state: 'ended' })).toEqual([b.id, a.id]);
      expect(await ids(store, { endReason: 'sandbox_lost' })).toEqual([b.id]);
      expect(await ids(store, { sandboxId: 'sbx-a' })).toEqual([a.id]);
      expect(await ids(store, { taskId: 'task-1' })).toEqual([c.id]);
      expect(await ids(store, { createdFrom: 2_000 })).toEqual([c.id, b.id]);
      expect(await ids(store, { createdBefore: 2_000 })).toEqual([a.id]);
      expect(await ids(store, { labels: { x: '1' } })).toEqual([b.id, a.id]);
      expect(await ids(store, { labels: { x: '1', y: '2' } })).toEqual([a.id]);
      expect(await ids(store, { labels: { x: "1' or '1'='1" } })).toEqual([]);

      const same = Array.from({ length: 5 }, () => ended({ tenant: 'same', createdAt: 5_000 }));
      await store.executions.save(OF, same);
      const first = await store.executions.list({ tenant: 'same' }, undefined, 3);
      const rest = await store.executions.list({ tenant: 'same' }, first.at(-1), 3);
      expect([...first, ...rest].map(({ id }) => id)).toEqual(
        same
          .map(({ id }) => id)
          .sort()
          .reverse(),
      );
    });

    test('that are durable hold their request id, whoever claims it at the same time', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const claims = Array.from({ length: 8 }, () => aRecord({ requestId: 'd1', durable: true }));
      const holders = await Promise.all(claims.map((record) => store.executions.claim(OF, record)));
      expect(new Set(holders.map(({ id }) => id)).size).toBe(1);
      expect(await ids(store, {})).toEqual([holders[0]!.id]);
      const own = claims.find(({ id }) => id === holders[0]!.id)!;
      expect(await store.executions.claim(NEXT, own)).toEqual(own);
      // Of another tenant, and not durable, it is another id.
      const other = aRecord({ requestId: 'd1', durable: true, tenant: 'other' });
      expect(await store.executions.claim(OF, other)).toEqual(other);
      await store.executions.save(OF, [aRecord({ requestId: 'd1' }), aRecord({ requestId: 'd1' })]);
      expect(await ids(store, {})).toHaveLength(3);
      // Saving the claimed one keeps it claimed.
      await store.executions.save(OF, [{ ...own, state: 'running' }]);
      expect(await store.executions.claim(NEXT, aRecord({ requestId: 'd1', durable: true }))).toMatchObject({
        id: own.id,
        state: 'running',
        durable: true,
      });
    });

    test('of this life are found by their request id', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const earlier = ended({ requestId: 'r1' });
      const now = ended({ requestId: 'r1' });
      await store.executions.save(OF, [earlier]);
      await store.executions.save(NEXT, [now]);
      expect((await store.executions.findByRequest(NEXT, 'default', 'r1'))?.id).toBe(now.id);
      expect(await store.executions.findByRequest(NEXT, 'other', 'r1')).toBeUndefined();
      expect(await store.executions.findByRequest(NEXT, 'default', 'r2')).toBeUndefined();
    });

    test('that an earlier life of the owner left are ended as lost, and no others', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const running = aRecord({ state: 'running', lastSeq: 4 });
      const queued = aRecord();
      const over = ended();
      await store.executions.save(OF, [running, queued, over]);
      const elsewhere = aRecord({ state: 'running' });
      await store.executions.save({ owner: 'another', life: 'life-x' }, [elsewhere]);
      const present = aRecord({ state: 'running' });
      await store.executions.save(NEXT, [present]);

      expect(await store.executions.endLost(NEXT, LOST, 1_700_000_001_000)).toBe(2);
      expect(await store.executions.get('default', running.id)).toEqual({
        ...running,
        state: 'ended',
        ended: LOST,
        endedAt: 1_700_000_001_000,
        lastSeq: 5,
      });
      expect(await store.executions.get('default', over.id)).toEqual(over);
      expect(await store.executions.get('default', elsewhere.id)).toEqual(elsewhere);
      expect(await store.executions.get('default', present.id)).toEqual(present);
      expect((await ids(store, { endReason: 'sandbox_lost' })).sort()).toEqual(
        [running.id, queued.id].sort(),
      );
      expect(await store.executions.endLost(NEXT, LOST, 1)).toBe(0);
    });

    test('that are old, or too many, are removed in portions; not those that run or whose id is in use', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const old = Array.from({ length: 5 }, (_, i) => ended({ createdAt: 100 + i, labels: { old: 'yes' } }));
      const kept = [
        aRecord({ createdAt: 1, state: 'running' }),
        ended({ createdAt: 2, requestId: 'in-use' }),
        ended({ createdAt: 10_000 }),
      ];
      await store.executions.save(OF, [...old, ...kept]);
      await store.executions.save({ owner: 'another', life: 'life-x' }, [
        ended({ tenant: 'other', createdAt: 1 }),
      ]);
      expect(await store.executions.removeOld(OF, 1_000, 100, 3)).toBe(3);
      expect(await ids(store, { labels: { old: 'yes' } })).toEqual([old[4]!.id, old[3]!.id]);
      expect(await store.executions.removeOld(OF, 1_000, 100, 3)).toBe(2);
      expect(await store.executions.removeOld(OF, 1_000, 100, 3)).toBe(0);
      expect((await ids(store, {})).sort()).toEqual(kept.map(({ id }) => id).sort());
      expect(await ids(store, { tenant: 'other' })).toHaveLength(1);
      // In the next life the request id is free, and three are one too many.
      expect(await store.executions.removeOld(NEXT, 0, 2, 10)).toBe(1);
      expect((await ids(store, {})).sort()).toEqual([kept[0]!.id, kept[2]!.id].sort());
    });
  });
}
