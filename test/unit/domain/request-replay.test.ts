import { expect, test } from 'vitest';
import { RequestReplay } from '../../../src/domain/request-replay.js';
import { deferred } from '../../../src/lib/deferred.js';

const NEVER = new AbortController().signal;
const request = (requestId: string, digest = 'd') => ({ scope: 'tenant', requestId, digest });

test('a repeat gets the first answer and does nothing again; another content is refused', async () => {
  const replay = new RequestReplay<number>();
  let runs = 0;
  const work = async (): Promise<number> => ++runs;
  expect(await replay.run(request('x'), NEVER, work)).toBe(1);
  expect(await replay.run(request('x'), NEVER, work)).toBe(1);
  await expect(replay.run(request('x', 'other'), NEVER, work)).rejects.toMatchObject({
    reason: 'REQUEST_ID_REUSED',
  });
  expect(await replay.run({ ...request('x'), scope: 'neighbour' }, NEVER, work)).toBe(2);
  expect(await replay.run(request(''), NEVER, work)).toBe(3);
  expect(await replay.run(request(''), NEVER, work)).toBe(4);
});

test('a caller that goes away does not end the work, and its repeat joins it', async () => {
  const replay = new RequestReplay<number>();
  const work = deferred<number>();
  const gone = new AbortController();
  const first = replay.run(request('x'), gone.signal, () => work.promise);
  gone.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  const second = replay.run(request('x'), NEVER, () => Promise.reject(new Error('not again')));
  work.resolve(7);
  expect(await second).toBe(7);
});

test('a failure is tried again; old answers and more than 500 are forgotten', async () => {
  let now = 0;
  const replay = new RequestReplay<number>(() => now);
  await expect(replay.run(request('x'), NEVER, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await replay.run(request('x'), NEVER, async () => 1)).toBe(1);
  for (let i = 0; i < 500; i++) await replay.run(request(`y${i}`), NEVER, async () => i);
  expect(await replay.run(request('x'), NEVER, async () => 2)).toBe(2);
  now += 15 * 60_000;
  expect(await replay.run(request('x'), NEVER, async () => 3)).toBe(3);
});
