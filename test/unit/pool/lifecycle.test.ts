import { describe, expect, it } from 'vitest';
import { nextLifecycle, type Lifecycle, type LifecycleEvent } from '../../../src/domain/pool/lifecycle.js';

const ended = Promise.resolve(0);
const AT: Record<Lifecycle['phase'], Lifecycle> = {
  open: { phase: 'open' },
  draining: { phase: 'draining', ended },
  drained: { phase: 'drained' },
  closed: { phase: 'closed' },
};
const EVENTS: Record<LifecycleEvent['type'], LifecycleEvent> = {
  drain: { type: 'drain', ended },
  emptied: { type: 'emptied' },
  warm: { type: 'warm' },
  close: { type: 'close' },
};

describe('the lifecycle of a pool', () => {
  it.each<[from: Lifecycle['phase'], after: Record<LifecycleEvent['type'], Lifecycle['phase']>]>([
    ['open', { drain: 'draining', emptied: 'open', warm: 'open', close: 'closed' }],
    ['draining', { drain: 'draining', emptied: 'drained', warm: 'draining', close: 'closed' }],
    ['drained', { drain: 'drained', emptied: 'drained', warm: 'open', close: 'closed' }],
    ['closed', { drain: 'closed', emptied: 'closed', warm: 'closed', close: 'closed' }],
  ])('from %s', (from, after) => {
    for (const [event, to] of Object.entries(after) as [LifecycleEvent['type'], Lifecycle['phase']][])
      expect([event, nextLifecycle(AT[from], EVENTS[event]).phase]).toEqual([event, to]);
  });
});
