import { describe, expect, it } from 'vitest';
import type { LogChunk } from '../../../../src/domain/env/engine.js';
import { behindAnchor } from '../../../../src/domain/env/logs/behind-anchor.js';
import type { LogAnchor } from '../../../../src/domain/env/logs/position.js';
import { each, line, ms, textOf } from './chunks.js';

/** @param lines only the last so many are read */
async function behind(chunks: LogChunk[], anchor?: LogAnchor, lines?: number): Promise<string[]> {
  const read = lines === undefined ? chunks : chunks.slice(-lines);
  const told: string[] = [];
  for await (const item of behindAnchor(each(read), anchor, lines)) {
    if (item.kind === 'line') told.push(textOf(item.chunk));
    else told.push(item.kind === 'gap' ? `gap until ${item.toTimestamp}` : 'cut');
  }
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

  describe('of which only the last lines are read', () => {
    it('has the same lines behind it, or says that the read began too late to know them', async () => {
      for (const [i, chunk] of log.entries()) {
        const anchor = await placeOf(log, textOf(chunk));
        for (let lines = 1; lines <= log.length; lines++) {
          const told = await behind(log, anchor, lines);
          if (told.at(-1) !== 'cut') expect(told).toEqual(log.slice(i + 1).map(textOf));
        }
      }
      // 'f' behind 'e', as soon as 'a' shows that 'b' is the first of its time.
      const e = await placeOf(log, 'e');
      expect(await behind(log, e, 5)).toEqual(['cut']);
      expect(await behind(log, e, 6)).toEqual(['f']);
    });

    it('finds its line whatever its output wrote before, where the read began well before it', async () => {
      const rare = [line(ms(1), 'a'), line(ms(100), 'b', 'stderr'), line(ms(101), 'c')];
      expect(await behind(rare, await placeOf(rare, 'b'), 3)).toEqual(['c']);
      expect(await behind(rare, await placeOf(rare, 'b'), 2)).toEqual(['cut']);
    });

    it('tells a gap only where its line would have been among them', async () => {
      const gone = await placeOf([line(ms(100), 'gone')], 'gone');
      const rest = [line(ms(90), 'a'), line(ms(101), 'b'), line(ms(102), 'c')];
      expect(await behind(rest, gone, 3)).toEqual([expect.stringContaining('gap'), 'b', 'c']);
      expect(await behind(rest, gone, 2)).toEqual(['cut']);
      expect(await behind([], gone, 2)).toEqual(['cut']);
    });
  });
});
