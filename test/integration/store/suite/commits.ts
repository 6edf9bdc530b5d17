import { describe, expect, test } from 'vitest';
import type { Operation, OperationError } from '../../../../src/domain/env/model.js';
import { anOperation, claimed, stepStarted, type Subject } from './fixtures.js';

/** What a commit changes, and the event log it leaves. */
export function commitTests(subject: Subject): void {
  describe('commit', () => {
    test('changes env, operation and checkpoints together with their events', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store);
      const error: OperationError = {
        reason: 'APP_EXITED',
        message: 'it ended with 1',
        step: 'start',
        logTail: ['NUL \0', 'last line'],
        undoErrors: [],
      };
      const before = Date.now();
      const events = await store.envs.commit({
        env: { id: env.id, patch: { state: 'broken', stateReason: 'no', port: 18_001, containerIds: ['c'] } },
        operation: { id: operation.id, state: 'failed', error },
        checkpoints: [
          { operationId: operation.id, ordinal: 0, step: 'port', state: 'done', data: { port: 18_001 } },
          { operationId: operation.id, ordinal: 1, step: 'network', state: 'intent' },
        ],
        events: [
          { envId: env.id, operationId: operation.id, body: stepStarted('port') },
          {
            envId: env.id,
            operationId: operation.id,
            body: { type: 'failed', kind: 'deploy', error, elapsedMs: 7, timings: [] },
          },
        ],
      });
      expect(events.map((event) => event.seq)).toEqual([2, 3]);
      expect(await store.envs.events(env.id, 1, 10)).toEqual(events);
      const changed = await store.envs.get('default', env.id);
      expect(changed).toEqual({
        ...env,
        state: 'broken',
        stateReason: 'no',
        port: 18_001,
        containerIds: ['c'],
        updatedAt: changed?.updatedAt,
      });
      expect(changed?.updatedAt).toBeGreaterThanOrEqual(before);
      const ended = await store.envs.getOperation(operation.id);
      expect(ended).toEqual({ ...operation, state: 'failed', error, endedAt: ended?.endedAt });
      expect(ended?.endedAt).toBeGreaterThanOrEqual(before);
      expect(await store.envs.checkpoints(operation.id)).toMatchObject([
        { ordinal: 0, step: 'port', state: 'done', data: { port: 18_001 }, endedAt: ended?.endedAt },
        { ordinal: 1, step: 'network', state: 'intent', data: {}, endedAt: null },
      ]);
    });

    test('the last outcome is that of the newest operation that succeeded or failed, and no cancelled one', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store);
      const outcome = async () => (await store.envs.lastOutcome(env.id))?.id;
      expect(await outcome()).toBeUndefined();
      const error: OperationError = {
        reason: 'OPERATION_ABORTED',
        message: 'm',
        step: '',
        logTail: [],
        undoErrors: [],
      };
      await store.envs.commit({ operation: { id: operation.id, state: 'undoing', error } });
      expect(await store.envs.lastOutcome(env.id)).toMatchObject({ id: operation.id, error });
      const later = (change: Partial<Operation>): Operation =>
        anOperation(env, { state: 'failed', startedAt: operation.startedAt + 1, ...change });
      await store.envs.commit({ newOperation: later({ error: { ...error, cancelled: true } }) });
      await store.envs.commit({ newOperation: later({ kind: 'extend', state: 'succeeded' }) });
      await store.envs.commit({ newOperation: later({ state: 'running' }) });
      expect(await outcome()).toBe(operation.id);
      const start = later({ kind: 'start', state: 'succeeded' });
      await store.envs.commit({ newOperation: start });
      expect(await store.envs.lastOutcome(env.id)).toEqual(start);
    });

    test('a checkpoint keeps its start and its data until they are given anew', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { operation } = await claimed(store);
      const at = { operationId: operation.id, step: 'network' };
      await store.envs.commit({ checkpoints: [{ ...at, ordinal: 1, state: 'intent', data: { name: 'n' } }] });
      await store.envs.commit({ checkpoints: [{ ...at, ordinal: 0, state: 'intent' }] });
      const [, begun] = await store.envs.checkpoints(operation.id);
      await store.envs.commit({ checkpoints: [{ ...at, ordinal: 1, state: 'done' }] });
      const [first, second] = await store.envs.checkpoints(operation.id);
      expect(first).toMatchObject({ ordinal: 0, data: {} });
      expect(second).toEqual({ ...begun, state: 'done', endedAt: second?.endedAt });
      expect(second?.endedAt).not.toBeNull();
    });

    test('what is null in a patch is set to null, and what is absent stays', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store, { port: 18_005, expiresAt: 5 });
      await store.envs.commit({ env: { id: env.id, patch: { port: null } } });
      expect(await store.envs.get('default', env.id)).toMatchObject({ port: null, expiresAt: 5 });
      const error = { reason: 'INTERNAL', message: 'm', step: '', logTail: [], undoErrors: ['u'] };
      await store.envs.commit({ operation: { id: operation.id, state: 'undoing', error } });
      await store.envs.commit({ operation: { id: operation.id, state: 'undo_incomplete' } });
      expect(await store.envs.getOperation(operation.id)).toMatchObject({
        state: 'undo_incomplete',
        error,
        endedAt: null,
      });
      await store.envs.commit({ operation: { id: operation.id, state: 'succeeded', error: null } });
      expect(await store.envs.getOperation(operation.id)).toMatchObject({ state: 'succeeded', error: null });
    });

    test('is all or nothing', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store);
      const events = [{ envId: env.id, operationId: operation.id, body: stepStarted('x') }];
      await expect(
        store.envs.commit({
          env: { id: env.id, patch: { state: 'running' } },
          operation: { id: 'op-none', state: 'failed' },
          events,
        }),
      ).rejects.toMatchObject({ reason: 'INTERNAL' });
      await expect(
        store.envs.commit({ env: { id: 'env-000000000000', patch: { url: 'u' } }, events }),
      ).rejects.toMatchObject({ reason: 'ENV_NOT_FOUND' });
      expect(await store.envs.get('default', env.id)).toEqual(env);
      expect(await store.envs.lastSeq(env.id)).toBe(1);
      expect(await store.envs.events(env.id, 0, 10)).toHaveLength(1);
      expect(await store.envs.commit({})).toEqual([]);
    });
  });

  describe('events', () => {
    test('seq has no gap and no double under parallel commits of two stores', async () => {
      await using database = await subject.newDatabase();
      await using first = await database.open();
      await using second = await database.open();
      const { env, operation } = await claimed(first);
      const other = await claimed(first, { userId: 'student-2' });
      const commits = Array.from({ length: 40 }, (_, i) => {
        const log = (envId: string, operationId: string) => ({
          envId,
          operationId,
          body: stepStarted(`s${i}`),
        });
        const mine = log(env.id, operation.id);
        const theirs = log(other.env.id, other.operation.id);
        return (i % 2 === 0 ? first : second).envs.commit({
          events: i % 3 === 0 ? [mine, theirs, mine] : [theirs, mine],
        });
      });
      const answers = await Promise.all(commits);
      for (const [i, answer] of answers.entries())
        expect(answer.map((event) => event.envId)).toEqual(
          i % 3 === 0 ? [env.id, other.env.id, env.id] : [other.env.id, env.id],
        );
      for (const id of [env.id, other.env.id]) {
        const seqs = (await second.envs.events(id, 0, 1_000)).map((event) => event.seq);
        expect(seqs).toEqual(Array.from({ length: await first.envs.lastSeq(id) }, (_, i) => i + 1));
      }
      expect(await first.envs.lastSeq(env.id)).toBe(1 + 40 + 14);
    });

    test('are read after a seq, oldest first, up to a limit', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store);
      const log = (step: string) => ({ envId: env.id, operationId: operation.id, body: stepStarted(step) });
      await store.envs.commit({ events: Array.from({ length: 30 }, (_, i) => log(`s${i}`)) });
      const seqs = async (after: number, limit: number): Promise<number[]> =>
        (await store.envs.events(env.id, after, limit)).map((event) => event.seq);
      expect(await seqs(0, 3)).toEqual([1, 2, 3]);
      expect(await seqs(9, 3)).toEqual([10, 11, 12]);
      expect(await seqs(29, 10)).toEqual([30, 31]);
      expect(await seqs(31, 10)).toEqual([]);
      expect(await store.envs.events('env-000000000000', 0, 10)).toEqual([]);
      expect(await store.envs.lastSeq('env-000000000000')).toBe(0);
    });
  });
}
