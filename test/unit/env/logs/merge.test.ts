import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/lib/deferred.js';
import { inOrder, Merge } from '../../../../src/domain/env/logs/merge.js';
import { each } from './chunks.js';

describe('several logs in the order of time', () => {
  it('are one', async () => {
    const told: string[] = [];
    for await (const item of inOrder([each(['a', 'd', 'e']), each([]), each(['b', 'c', 'f'])], (key) => key))
      told.push(item);
    expect(told.join('')).toBe('abcdef');
  });

  it('are let go of when the reader leaves, and when one fails', async () => {
    const left: string[] = [];
    async function* source(name: string): AsyncGenerator<string> {
      try {
        for (let i = 0; ; i++) yield `${i}${name}`;
      } finally {
        left.push(name);
      }
    }
    for await (const _ of inOrder([source('a'), source('b')], (key) => key)) break;
    expect(left.sort()).toEqual(['a', 'b']);
  });
});

describe('several logs as they come', () => {
  it('are one, with those that are added later, and end when all have and no more come', async () => {
    const merge = new Merge<string>(() => {});
    merge.add(each(['a', 'b']));
    const told: string[] = [];
    for await (const item of merge) {
      told.push(item);
      if (told.length === 2) {
        merge.add(each(['c']));
        merge.close();
      }
    }
    expect(told).toEqual(['a', 'b', 'c']);
  });

  it('are pulled one item ahead and no further', async () => {
    let pulled = 0;
    async function* endless(): AsyncGenerator<number> {
      for (;;) yield ++pulled;
    }
    const merge = new Merge<number>(() => {});
    merge.add(endless());
    const reader = merge[Symbol.asyncIterator]();
    await reader.next();
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(pulled).toBe(2);
    await reader.return(undefined);
  });

  it('stop what waits when the reader leaves', async () => {
    const stopped = deferred();
    async function* waits(): AsyncGenerator<string> {
      yield 'first';
      await stopped.promise;
    }
    const merge = new Merge<string>(() => stopped.resolve());
    merge.add(waits());
    for await (const _ of merge) break;
    await stopped.promise;
  });

  it('fail with what one fails with', async () => {
    const merge = new Merge<string>(() => {});
    merge.add(each(['a']));
    merge.fail(new Error('lost'));
    await expect(
      (async () => {
        for await (const _ of merge);
      })(),
    ).rejects.toThrow('lost');
  });
});
