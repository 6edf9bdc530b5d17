import type { LeaseStore } from '../domain/env/store.js';
import type { ColumnTypes } from './migrations/column-types.js';
import type { Transactor } from './transactor.js';

/** LeaseStore over either database, by conditional update. */
export class LeaseRepository implements LeaseStore {
  constructor(
    private readonly transactor: Transactor,
    private readonly now: ColumnTypes['now'],
  ) {}

  async take(name: string, holder: string, ttlMs: number): Promise<boolean> {
    return await this.transactor.write(async (trx) => {
      const until = (await trx.selectNoFrom(this.now.as('now')).executeTakeFirstOrThrow()).now + ttlMs;
      const held = await trx.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst();
      if (held === undefined) {
        // Another daemon may be first: UNIQUE says so, and the second attempt sees its row.
        await trx.insertInto('leases').values({ name, holder, until }).execute();
        return true;
      }
      const { numUpdatedRows } = await trx
        .updateTable('leases')
        .set({ holder, until })
        .where('name', '=', name)
        .where((eb) => eb.or([eb('holder', '=', holder), eb('until', '<=', this.now)]))
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    });
  }

  async release(name: string, holder: string): Promise<void> {
    await this.transactor.write((trx) =>
      trx.deleteFrom('leases').where('name', '=', name).where('holder', '=', holder).execute(),
    );
  }
}
