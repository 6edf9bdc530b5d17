import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RecoveryLoop } from '../../../src/domain/env/recovery-loop.js';
import { deferred } from '../../../src/lib/deferred.js';
import { SilentLogger } from '../../support/silent-logger.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function loopOf(round: () => Promise<void>): RecoveryLoop {
  return new RecoveryLoop({ intervalMs: 60_000, round, logger: new SilentLogger() });
}

it('comes round at each interval once it was woken, until it is closed', async () => {
  const round = vi.fn(async () => {});
  const loop = loopOf(round);
  loop.wake();
  await vi.advanceTimersByTimeAsync(180_500);
  expect(round).toHaveBeenCalledTimes(4);
  loop.close();
  loop.wake();
  await vi.advanceTimersByTimeAsync(180_000);
  expect(round).toHaveBeenCalledTimes(4);
});

it('comes round once more when it is woken under way: what woke it may be news', async () => {
  const first = deferred();
  const round = vi.fn(() => (round.mock.calls.length === 1 ? first.promise : Promise.resolve()));
  const loop = loopOf(round);
  loop.wake();
  loop.wake();
  loop.wake();
  expect(round).toHaveBeenCalledTimes(1);
  first.resolve();
  await vi.advanceTimersByTimeAsync(1);
  expect(round).toHaveBeenCalledTimes(2);
  loop.close();
});

it('comes soon after a cut-off, and after a round that failed with growing pauses', async () => {
  let broken = true;
  const round = vi.fn(async () => {
    if (broken) throw new Error('no store');
  });
  const loop = loopOf(round);
  loop.soon();
  await vi.advanceTimersByTimeAsync(500);
  expect(round).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(500 + 1_000 + 2_000);
  expect(round).toHaveBeenCalledTimes(4);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(round.mock.calls.length).toBeLessThan(25);
  broken = false;
  await vi.advanceTimersByTimeAsync(60_000);
  const calls = round.mock.calls.length;
  loop.soon();
  await vi.advanceTimersByTimeAsync(500);
  expect(round).toHaveBeenCalledTimes(calls + 1);
  loop.close();
});
