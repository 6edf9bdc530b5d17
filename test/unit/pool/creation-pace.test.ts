import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CreationPace } from '../../../src/domain/pool/creation-pace.js';

describe('the pace of creations', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function paceOf(usualMs: number): { pace: CreationPace; due: () => number } {
    let due = 0;
    const pace = new CreationPace(2, () => due++);
    if (usualMs > 0) pace.took(usualMs);
    return { pace, due: () => due };
  }

  it('holds nothing back before it knows how long a creation takes', () => {
    const { pace } = paceOf(0);
    pace.begun();
    expect(pace.allows(1)).toBe(true);
  });

  it('holds nothing back where nothing is being created', () => {
    const { pace } = paceOf(200);
    pace.begun();
    expect(pace.allows(0)).toBe(true);
  });

  it('lets the second begin when half of the first is over, and says so once', () => {
    const { pace, due } = paceOf(200);
    pace.begun();
    expect(pace.allows(1)).toBe(false);
    vi.advanceTimersByTime(60);
    expect(pace.allows(1)).toBe(false);
    vi.advanceTimersByTime(39);
    expect(due()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(due()).toBe(1);
    expect(pace.allows(1)).toBe(true);
    vi.runAllTimers();
    expect(due()).toBe(1);
  });

  it('follows how long creations take', () => {
    const { pace } = paceOf(200);
    for (let i = 0; i < 30; i++) pace.took(20);
    pace.begun();
    vi.advanceTimersByTime(11);
    expect(pace.allows(1)).toBe(true);
  });
});
