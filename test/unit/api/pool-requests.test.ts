import { describe, expect, it } from 'vitest';
import { WarmPoolRequest } from '../../../clients/typescript/src/gen/berth/v1/pool_service.js';
import { checkNoSettings } from '../../../src/api/pool-requests.js';

describe('WarmPool of an existing pool', () => {
  it('refuses settings, which would have no effect', () => {
    const target = { $case: 'poolId' as const, value: 'pool-1' };
    expect(() => checkNoSettings(WarmPoolRequest.fromPartial({ target, count: 2 }))).not.toThrow();
    for (const [field, given] of [
      ['preset', { preset: 'small' }],
      ['settings', { settings: { maxSize: 2 } }],
    ] as const)
      expect(() => checkNoSettings(WarmPoolRequest.fromPartial({ target, ...given }))).toThrow(
        `${field}: must be empty with pool_id`,
      );
  });
});
