import { describe, expect, it } from 'vitest';
import type { ProjectEvent } from '../../../../src/domain/env/engine.js';
import { TrafficMeters } from '../../../../src/domain/env/life/traffic.js';

const ENV = 'env-1';
const event = (action: ProjectEvent['action'], service = 'app'): ProjectEvent => ({
  action,
  service,
  containerId: 'c',
  time: 0,
});
const count = (accepted: number, open = 0, life = 'a') => ({ life, accepted, open });

describe('TrafficMeters', () => {
  it('does not take the health check for traffic, whether it connects or not', () => {
    const meters = new TrafficMeters();
    expect(meters.sample(ENV, count(7))).toBeUndefined();
    let accepted = 7;
    for (let n = 0; n < 20; n++) {
      meters.take(ENV, event('exec_start'));
      // Looked at in the middle of a check, before and after it connected.
      expect(meters.sample(ENV, count(accepted))).toBeUndefined();
      if (n % 3 !== 0) accepted++;
      expect(meters.sample(ENV, count(accepted))).toBeUndefined();
      meters.take(ENV, event('exec_die'));
      expect(meters.sample(ENV, count(accepted))).toBeUndefined();
    }
    // And a single visitor is seen all the same.
    expect(meters.sample(ENV, count(accepted + 1))).toBeUndefined();
    expect(meters.isUndecided(ENV)).toBe(true);
    expect(meters.sample(ENV, count(accepted + 1))).toBe('1 connection');
    expect(meters.sample(ENV, count(accepted + 1))).toBeUndefined();
  });

  it('waits for the event that explains a connection', () => {
    const meters = new TrafficMeters();
    meters.sample(ENV, count(0));
    expect(meters.sample(ENV, count(1))).toBeUndefined();
    meters.take(ENV, event('exec_start'));
    meters.take(ENV, event('exec_die'));
    expect(meters.sample(ENV, count(1))).toBeUndefined();
    expect(meters.isUndecided(ENV)).toBe(false);
  });

  it('counts an open connection as long as it is open', () => {
    const meters = new TrafficMeters();
    expect(meters.sample(ENV, count(1, 1))).toBe('1 open connection');
    expect(meters.sample(ENV, count(1, 2))).toBe('2 open connections');
    expect(meters.sample(ENV, count(1))).toBeUndefined();
  });

  it('begins anew with the container, after an operation, and when events were missed', () => {
    const meters = new TrafficMeters();
    meters.sample(ENV, count(5));
    expect(meters.sample(ENV, count(3, 0, 'b'))).toBeUndefined();
    meters.take(ENV, event('start'));
    expect(meters.sample(ENV, count(9, 0, 'b'))).toBeUndefined();
    meters.forgetAll();
    expect(meters.sample(ENV, count(50, 0, 'b'))).toBeUndefined();
    expect(meters.isUndecided(ENV)).toBe(false);
  });

  it('leaves the checks of other services out', () => {
    const meters = new TrafficMeters();
    meters.sample(ENV, count(0));
    meters.take(ENV, event('exec_start', 'db'));
    meters.sample(ENV, count(1));
    expect(meters.sample(ENV, count(1))).toBe('1 connection');
  });
});
