import { describe, expect, it } from 'vitest';
import { endsOf } from '../../../../src/domain/env/life/ends.js';
import { spanText } from '../../../../src/domain/env/life/span.js';
import type { Env } from '../../../../src/domain/env/model.js';

const ENV = {
  ttlMs: 3_600_000,
  expiresAt: 10_000_000,
  idleTimeoutMs: 7_200_000,
  lastActivity: { at: 5_000_000, kind: 'operation', detail: '' },
  expiryWarnedFor: null,
  idleWarnedFor: null,
} as unknown as Env;

describe('endsOf', () => {
  it('names the earlier end first, with its warning some minutes before', () => {
    expect(endsOf(ENV, 300_000)).toEqual([
      { cause: 'expiry', at: 10_000_000, warnFrom: 9_700_000, warned: false },
      { cause: 'idle', at: 12_200_000, warnFrom: 11_900_000, warned: false },
    ]);
    expect(endsOf({ ...ENV, expiresAt: 20_000_000 }, 300_000)[0]?.cause).toBe('idle');
  });

  it('warns of a short life at half of it, and of an end that moved anew', () => {
    const short = {
      ...ENV,
      ttlMs: 2_000,
      idleTimeoutMs: 1_000,
      expiryWarnedFor: 10_000_000,
      idleWarnedFor: 1,
    };
    expect(endsOf(short, 300_000)).toEqual([
      { cause: 'idle', at: 5_001_000, warnFrom: 5_000_500, warned: false },
      { cause: 'expiry', at: 10_000_000, warnFrom: 9_999_000, warned: true },
    ]);
  });

  it('knows lives without an end', () => {
    expect(endsOf({ ...ENV, expiresAt: null, idleTimeoutMs: 0 }, 1)).toEqual([]);
    expect(endsOf({ ...ENV, expiresAt: null, lastActivity: null }, 1)).toEqual([]);
  });
});

describe('spanText', () => {
  it.each([
    [3_600_000, '1 h'],
    [5_400_000, '1 h 30 min'],
    [45_000, '45 s'],
    [90_061_000, '1 d 1 h'],
    [12, 'less than a second'],
    [-5, 'less than a second'],
  ])('%d ms: %s', (ms, text) => expect(spanText(ms)).toBe(text));
});
