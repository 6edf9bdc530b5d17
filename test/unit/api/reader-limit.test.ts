import { expect, it } from 'vitest';
import { ReaderLimit } from '../../../src/api/reader-limit.js';

async function* endless(): AsyncGenerator<number> {
  for (let n = 1; ; n++) yield n;
}

async function* failing(): AsyncGenerator<number> {
  yield 1;
  throw new Error('the stream broke');
}

it('bounds the streams of each tenant, and counts none that ended, whichever way', async () => {
  const limit = new ReaderLimit(2);
  const first = limit.within('a', endless());
  const second = limit.within('a', failing());
  await first.next();
  await second.next();
  await expect(limit.within('a', endless()).next()).rejects.toMatchObject({
    reason: 'OVERLOADED',
    quota: [{ subject: 'readers of tenant a' }],
  });
  expect(await limit.within('b', endless()).next()).toMatchObject({ value: 1 });

  await expect(second.next()).rejects.toThrow('broke');
  const third = limit.within('a', endless());
  expect(await third.next()).toMatchObject({ value: 1 });
  await expect(limit.within('a', endless()).next()).rejects.toMatchObject({ reason: 'OVERLOADED' });
  await first.return(undefined);
  expect(await limit.within('a', endless()).next()).toMatchObject({ value: 1 });
});
