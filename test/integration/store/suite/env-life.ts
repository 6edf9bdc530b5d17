import { expect, test, describe } from 'vitest';
import type { Env } from '../../../../src/domain/env/model.js';
import { anOperation, claimed, STARTED, type Subject } from './fixtures.js';

/** What an env's life needs of the store: its columns, activities, labels, leases. */
export function envLifeTests(subject: Subject): void {
  describe('life of an env', () => {
    test('is kept whole, changed by patches, and begun anew with an operation', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env, operation } = await claimed(store, {
        lastExtension: { at: 7, kind: 'extended', detail: 'ExtendEnv by 1 h' },
        database: { provider: 'shared', request: { provider: 'shared' }, data: { schema: 's' } },
        restartPolicy: 'no',
        health: 'healthy',
        healthMessage: 'well',
        labels: { course: '7' },
        diskBytes: 5,
        readyAt: 9,
      });
      expect(await store.envs.get('default', env.id)).toEqual(env);
      const patch: Partial<Env> = {
        expiresAt: 1_900_000_000_000,
        expiryWarnedFor: 1_900_000_000_000,
        idleWarnedFor: 3,
        health: 'unhealthy',
        database: null,
        lastActivity: null,
      };
      await store.envs.commit({ env: { id: env.id, patch: { ...patch, state: 'running' } } });
      expect(await store.envs.get('default', env.id)).toMatchObject(patch);
      const life = { ttlMs: 5, idleTimeoutMs: 6, labels: { course: '8' } };
      const again = anOperation(env);
      await store.envs.beginOperation(again, ['running'], 'deploying', [STARTED]);
      await store.envs.commit({ env: { id: env.id, patch: life } });
      expect(await store.envs.get('default', env.id)).toMatchObject({ ...life, state: 'deploying' });
      const found = await store.envs.list({ tenant: 'default', labels: life.labels }, 10, '');
      expect(found.items.map(({ id }) => id)).toEqual([env.id]);
      expect(operation.id).not.toBe(again.id);
    });

    test('records activities, the later one wins; those of another tenant or of ended envs do not count', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env } = await claimed(store, {
        lastActivity: { at: 10, kind: 'operation', detail: 'DeployEnv' },
      });
      const note = (at: number, tenant = 'default') =>
        store.envs.saveActivities([
          { tenant, envId: env.id, activity: { at, kind: 'traffic', detail: `${at}` } },
        ]);
      await note(20);
      await note(15);
      await note(30, 'other');
      const found = await store.envs.get('default', env.id);
      expect(found?.lastActivity).toEqual({ at: 20, kind: 'traffic', detail: '20' });
      expect(found?.updatedAt).toBe(env.updatedAt);
      await store.envs.saveDiskBytes(new Map([[env.id, 77]]));
      expect((await store.envs.get('default', env.id))?.diskBytes).toBe(77);
      await store.envs.commit({ env: { id: env.id, patch: { state: 'destroyed' } } });
      await note(40);
      expect((await store.envs.get('default', env.id))?.lastActivity?.at).toBe(20);
    });

    test('has labels to list by', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const both = await claimed(store, { userId: 'a', labels: { course: '7', kind: 'lab' } });
      const one = await claimed(store, { userId: 'b', labels: { course: '7' } });
      await claimed(store, { userId: 'c', labels: {} });
      const found = async (labels: Record<string, string>) =>
        (await store.envs.list({ tenant: 'default', labels }, 10, '')).items.map((env) => env.id).sort();
      expect(await found({ course: '7' })).toEqual([both.env.id, one.env.id].sort());
      expect(await found({ course: '7', kind: 'lab' })).toEqual([both.env.id]);
      expect(await found({ course: '8' })).toEqual([]);
      const first = await store.envs.list({ tenant: 'default', labels: { course: '7' } }, 1, '');
      await expect(
        store.envs.list({ tenant: 'default', labels: { course: '8' } }, 1, first.nextPageToken),
      ).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    });

    test('records an operation that is over for its request id', async () => {
      await using database = await subject.newDatabase();
      await using store = await database.open();
      const { env } = await claimed(store);
      const newOperation = anOperation(env, { kind: 'extend', state: 'succeeded', requestId: 'x-1' });
      await store.envs.commit({ env: { id: env.id, patch: { ttlMs: 9 } }, newOperation });
      expect(await store.envs.findOperationByRequest('default', 'x-1')).toMatchObject({ kind: 'extend' });
      const twice = {
        env: { id: env.id, patch: { ttlMs: 10 } },
        newOperation: { ...newOperation, id: 'op-2' },
      };
      await expect(store.envs.commit(twice)).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
      expect((await store.envs.get('default', env.id))?.ttlMs).toBe(9);
    });
  });

  describe('leases', () => {
    test('have one holder at a time, by the clock of the database', async () => {
      await using database = await subject.newDatabase();
      await using first = await database.open();
      await using second = await database.open();
      const takes = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          (n % 2 === 0 ? first : second).leases.take('sweep', `h${n}`, 60_000),
        ),
      );
      expect(takes.filter(Boolean).length).toBe(1);
      const holder = `h${takes.indexOf(true)}`;
      expect(await first.leases.take('sweep', holder, 60_000)).toBe(true);
      expect(await second.leases.take('sweep', 'other', 60_000)).toBe(false);
      await second.leases.release('sweep', 'other');
      expect(await second.leases.take('sweep', 'other', 60_000)).toBe(false);
      await first.leases.release('sweep', holder);
      expect(await second.leases.take('sweep', 'other', 0)).toBe(true);
      expect(await first.leases.take('sweep', holder, 60_000)).toBe(true);
    });
  });
}
