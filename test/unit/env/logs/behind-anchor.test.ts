import { describe, expect, it } from 'vitest';
import type { LogChunk } from '../../../../src/domain/env/engine.js';
import { behindAnchor, sinceOf } from '../../../../src/domain/env/logs/behind-anchor.js';
import type { LogAnchor } from '../../../../src/domain/env/logs/position.js';
import { each, line, ms, textOf } from './chunks.js';

async function behind(chunks: LogChunk[], anchor?: LogAnchor): Promise<string[]> {
  const told: string[] = [];
  for await (const item of behindAnchor(each(chunks), anchor))
    told.push(item.kind === 'line' ? textOf(item.chunk) : `gap until ${item.toTimestamp}`);
  return told;
}

/** The place of a line, as the whole log gives it. */
async function placeOf(chunks: LogChunk[], text: string): Promise<LogAnchor> {
  for await (const item of behindAnchor(each(chunks), undefined))
    if (item.kind === 'line' && textOf(item.chunk) === text) return item.anchor;
  throw new Error(`no line ${text}`);
}

describe('a log taken up behind a line', () => {
  const log = [
    line(ms(1), 'a'),
    line(ms(2), 'b'),
    line(ms(2), 'c'),
    line(ms(2), 'd', 'stderr'),
    line(ms(2), 'e'),
    line(ms(3), 'f'),
  ];

  it('has every line behind it once, wherever it is taken up', async () => {
    expect(await behind(log)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    for (const [i, chunk] of log.entries()) {
      const anchor = await placeOf(log, textOf(chunk));
      expect(await behind(log, anchor)).toEqual(log.slice(i + 1).map(textOf));
    }
  });

  it('keeps to the order of the log where the two outputs are stamped out of order', async () => {
    const crossed = [
      line(ms(1), 'a'),
      line(ms(5), 'b', 'stderr'),
      line(ms(4), 'c'),
      line(ms(6), 'd', 'stderr'),
      line(ms(7), 'e'),
    ];
    expect(await behind(crossed, await placeOf(crossed, 'b'))).toEqual(['c', 'd', 'e']);
    expect(await behind(crossed, await placeOf(crossed, 'c'))).toEqual(['d', 'e']);
    // What is read again begins early enough for the line that is stamped before the anchor.
    expect(sinceOf(await placeOf(crossed, 'b'))).toBeLessThan(Date.parse(crossed[2]!.timestamp));
  });

  it.each([
    ['the same output', [line(ms(9), 'x')], ['gap', 'x']],
    ['the other one, soon after', [line(ms(5), 'x', 'stderr'), line(ms(9), 'y')], ['gap', 'x', 'y']],
    ['the other one, much later', [line(ms(900), 'x', 'stderr')], ['gap', 'x']],
    ['the other one alone, soon after', [line(ms(5), 'x', 'stderr')], ['gap', 'x']],
    ['no line at all', [], ['gap']],
  ])('tells a gap where its line is gone: then comes %s', async (_, rest, expected) => {
    const told = await behind(rest, await placeOf(log, 'f'));
    expect(told.map((text) => text.replace(/ until.*/, ''))).toEqual(expected);
  });

  it('counts lines of one time: those that are left of it do not stand for those that are gone', async () => {
    const anchor = await placeOf(log, 'e');
    expect(await behind([line(ms(2), 'e'), line(ms(3), 'f')], anchor)).toEqual([
      expect.stringContaining('gap'),
      'f',
    ]);
  });

  it('holds a bounded number of lines while it looks', async () => {
    const anchor = await placeOf(log, 'f');
    const flood = Array.from({ length: 5_000 }, (_, i) => line(ms(3) + 1 + i, `${i}`, 'stderr'));
    const told = await behind(flood, anchor);
    expect(told[0]).toContain('gap');
    expect(told.slice(1)).toEqual(flood.map(textOf));
  });
});
