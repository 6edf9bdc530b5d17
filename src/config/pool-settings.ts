import { POOL_PRESETS, type PoolSettings } from '../domain/pool/settings.js';
import type { Config } from './schema.js';

/** The preset, with the keys that are given in its place. */
export function poolSettings(pool: Config['pool']): PoolSettings {
  const preset = POOL_PRESETS[pool.preset];
  const given = (value: number, fallback: number): number => (value === -1 ? fallback : value);
  return {
    min: given(pool.min, preset.min),
    initial: given(pool.initial, preset.initial),
    max: given(pool.max, preset.max),
    idleTimeoutMs: given(pool.idleTimeoutMs, preset.idleTimeoutMs),
    healthIntervalMs: given(pool.healthIntervalMs, preset.healthIntervalMs),
    maxUses: pool.maxUses,
    maxAgeMs: pool.maxAgeMs,
    keepForTenantMs: pool.keepForTenantMs,
    resetTimeoutMs: pool.resetTimeoutMs,
  };
}
