import { afterEach, describe, expect, it, vi } from 'vitest';
import { chosen, extent, FULL_VARIABLE, isFull } from '../../run/extent.mjs';

describe('how much of a long list runs', () => {
  const all = ['a', 'b', 'c', 'd'];
  const choose = (sample: string[]) => {
    const lines: string[] = [];
    const items = chosen('letters', all, String, sample, (line) => lines.push(line));
    return { items, said: lines.join('\n') };
  };

  afterEach(() => vi.unstubAllEnvs());

  it('is the sample, in the order of the list, and says its names', () => {
    vi.stubEnv(FULL_VARIABLE, '');
    expect(isFull()).toBe(false);
    expect(extent()).toContain('sample');
    expect(choose(['d', 'b'])).toEqual({
      items: ['b', 'd'],
      said: 'letters: a sample of 2 of 4 (npm run test:full runs all): d, b',
    });
  });

  it('is everything in a full run, and says so', () => {
    vi.stubEnv(FULL_VARIABLE, '1');
    expect(isFull()).toBe(true);
    expect(choose(['b'])).toEqual({ items: all, said: 'letters: all 4' });
  });

  it('refuses a sample that names what is not there, in both', () => {
    for (const value of ['', '1']) {
      vi.stubEnv(FULL_VARIABLE, value);
      expect(() => choose(['b', 'z'])).toThrow('the sample of letters names z: not in the list');
    }
  });
});
