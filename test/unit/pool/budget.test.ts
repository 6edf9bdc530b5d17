import { describe, expect, it } from 'vitest';
import { HostBudget, type BudgetClient } from '../../../src/domain/pool/host-budget.js';
import { PoolRegistry } from '../../../src/domain/pool/pool-registry.js';
import { FakeFactory, SPEC } from '../../support/fake-sandboxes.js';
import { makePool, settle, SETTINGS } from './make-pool.js';

const ONE = { memoryBytes: 1, cpuMillis: 500 };
const NOTHING = { memoryBytes: 0, cpuMillis: 0 };
/** Room for so many sandboxes of the tests. */
const budgetFor = (sandboxes: number): HostBudget =>
  new HostBudget({ memoryBytes: sandboxes, cpuMillis: 1e9 });

describe('HostBudget', () => {
  it('serves those who wait in order, and lets nobody overtake a large one', () => {
    const budget = budgetFor(2);
    const served: string[] = [];
    const client = (name: string, memoryBytes: number): BudgetClient => {
      const cost = { memoryBytes, cpuMillis: 1 };
      const self: BudgetClient = {
        budgetFreed: () => {
          if (budget.tryReserve(self, cost, cost)) served.push(name);
        },
      };
      self.budgetFreed();
      return self;
    };
    client('first', 2);
    client('large', 2);
    client('small', 1);
    expect(served).toEqual(['first']);
    budget.release({ memoryBytes: 1, cpuMillis: 0 }, false);
    expect(served).toEqual(['first']);
    budget.release({ memoryBytes: 1, cpuMillis: 1 }, false);
    expect(served).toEqual(['first', 'large']);
  });

  it('lets the next one come when the first gives up', () => {
    const budget = budgetFor(1);
    const holder: BudgetClient = { budgetFreed: () => undefined };
    const large: BudgetClient = { budgetFreed: () => void budget.tryReserve(large, TWO, TWO) };
    const TWO = { memoryBytes: 2, cpuMillis: 1 };
    let small = false;
    const next: BudgetClient = { budgetFreed: () => (small = budget.tryReserve(next, ONE, ONE)) };
    large.budgetFreed();
    next.budgetFreed();
    expect(small).toBe(false);
    budget.withdraw(large);
    expect(small).toBe(true);
    budget.withdraw(holder);
  });

  it('refuses at once what there will never be', () => {
    expect(() => budgetFor(1).check({ memoryBytes: 2, cpuMillis: 1 })).toThrow('more than Berth may promise');
  });

  it('asks for room only as far as nothing is on its way out', () => {
    const budget = budgetFor(1);
    const asked: number[] = [];
    budget.lacking = ({ memoryBytes }) => asked.push(memoryBytes);
    const holder: BudgetClient = { budgetFreed: () => undefined };
    const waiter: BudgetClient = { budgetFreed: () => undefined };
    expect(budget.tryReserve(holder, ONE, NOTHING)).toBe(true);
    expect(budget.tryReserve(waiter, ONE, ONE)).toBe(false);
    expect(asked).toEqual([1]);
    budget.leaves(ONE);
    budget.tryReserve(waiter, ONE, ONE);
    expect(asked).toEqual([1]);
  });
});

describe('pools on one budget', () => {
  it('promise no more than there is, containers in the making and on their way out included', async () => {
    const budget = budgetFor(3);
    const factory = new FakeFactory({ auto: false });
    makePool(factory, { budget, parallelCreates: 10 });
    makePool(factory, { budget, id: 'pool-other', parallelCreates: 10 });
    expect(factory.pending).toHaveLength(3);
    factory.pending[0]!.fail(new Error('no'));
    await settle();
    // The failed one's share goes to the pool that could not begin.
    expect(factory.pending).toHaveLength(4);
    expect(budget.promised.memoryBytes).toBe(3);
  });

  it('reclaim what others keep, then what is warm beyond their minimum, for a request that waits', async () => {
    const budget = budgetFor(3);
    const factory = new FakeFactory({ auto: true });
    const registry = new PoolRegistry(budget, (id, spec, settings) =>
      makePool(factory, { id, spec, settings, budget }),
    );
    const { pool: rich } = registry.of(SPEC, { ...SETTINGS, min: 1, initial: 2 });
    await settle();
    (await rich.acquire('a')).release();
    await settle();
    expect([rich.count('warm'), rich.count('kept')]).toEqual([2, 1]);
    const { pool: poor } = registry.of(
      { ...SPEC, imageDigest: 'sha256:1' },
      { ...SETTINGS, min: 0, initial: 0 },
    );
    const first = await poor.acquire('b');
    expect(first.missReason).toBe('host_budget');
    expect([rich.count('warm'), rich.count('kept')]).toEqual([2, 0]);
    await poor.acquire('c');
    expect(rich.count('warm')).toBe(1);
    // The minimum is never reclaimed: the third waits until something comes back, and the alert says why.
    const third = poor.acquire('d');
    await settle();
    expect(poor.waiting).toBe(1);
    expect(rich.size).toBe(1);
    expect(poor.alerts().map(({ kind }) => kind)).toContain('host_budget');
    first.release();
    expect((await third).missReason).toBe('host_budget');
    expect(factory.mostAtOnce).toBe(3);
  });

  it('say that it was the budget after waiting in vain', async () => {
    const budget = budgetFor(1);
    const pool = makePool(new FakeFactory({ auto: true }), { budget });
    await pool.acquire('a');
    await expect(pool.acquire('b', { timeoutMs: 5 })).rejects.toMatchObject({ reason: 'HOST_BUDGET' });
    await settle();
    expect(budget.isAwaitedBy({ budgetFreed: () => undefined })).toBe(false);
  });
});
