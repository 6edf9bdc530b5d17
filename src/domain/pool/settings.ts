/** How a pool is kept. `0 <= min <= initial <= max`. */
export interface PoolSettings {
  /** Sandboxes that stay however idle the pool is. */
  min: number;
  /** Warm sandboxes not yet given to a tenant, kept while the pool is in use. */
  initial: number;
  /** Sandboxes that exist at once, whatever their state. */
  max: number;
  /** Time without use after which the pool shrinks to `min`. Milliseconds. */
  idleTimeoutMs: number;
  /** Time between two health checks of an idle sandbox. Milliseconds. */
  healthIntervalMs: number;
  /** Executions after which a sandbox is replaced. */
  maxUses: number;
  /** Age at which a sandbox is replaced. Milliseconds. */
  maxAgeMs: number;
  /** Time that a used sandbox is kept for its tenant. Milliseconds. */
  keepForTenantMs: number;
  /** Time that a reset may take; past it the sandbox is destroyed. Milliseconds. */
  resetTimeoutMs: number;
}

/** What a preset decides; the rest is as the daemon is configured. */
type PresetSettings = Pick<PoolSettings, 'min' | 'initial' | 'max' | 'idleTimeoutMs' | 'healthIntervalMs'>;

/** The seed's figures: its defaults, and its production advice. */
export const POOL_PRESETS = {
  default: { min: 1, initial: 3, max: 10, idleTimeoutMs: 300_000, healthIntervalMs: 30_000 },
  small: { min: 1, initial: 1, max: 3, idleTimeoutMs: 300_000, healthIntervalMs: 30_000 },
  production: { min: 3, initial: 5, max: 20, idleTimeoutMs: 600_000, healthIntervalMs: 30_000 },
} as const satisfies Record<string, PresetSettings>;

export type PoolPreset = keyof typeof POOL_PRESETS;

export const PRESET_NAMES = Object.keys(POOL_PRESETS) as PoolPreset[];

export function isPreset(name: string): name is PoolPreset {
  return Object.hasOwn(POOL_PRESETS, name);
}

/** The preset that these settings are those of, but for what presets do not decide; empty when none is. */
export function presetOf(settings: PoolSettings): PoolPreset | '' {
  const matches = (preset: PresetSettings): boolean =>
    (Object.keys(preset) as (keyof PresetSettings)[]).every((key) => preset[key] === settings[key]);
  return PRESET_NAMES.find((name) => matches(POOL_PRESETS[name])) ?? '';
}

const DAY_MS = 24 * 3_600_000;
const RANGES: Record<keyof PoolSettings, [least: number, most: number]> = {
  min: [0, 1_000],
  initial: [0, 1_000],
  max: [1, 1_000],
  idleTimeoutMs: [0, DAY_MS],
  healthIntervalMs: [1_000, DAY_MS],
  maxUses: [1, 1_000_000],
  maxAgeMs: [1_000, DAY_MS],
  keepForTenantMs: [0, DAY_MS],
  resetTimeoutMs: [100, 60_000],
};

/** The key that breaks a rule, and the rule; undefined when all is well. */
export function settingsProblem(
  settings: PoolSettings,
): { key: keyof PoolSettings; rule: string } | undefined {
  for (const key of Object.keys(RANGES) as (keyof PoolSettings)[]) {
    const [least, most] = RANGES[key];
    const value = settings[key];
    if (!Number.isSafeInteger(value) || value < least || value > most)
      return { key, rule: `must be a whole number from ${least} to ${most}` };
  }
  if (settings.initial < settings.min) return { key: 'initial', rule: 'must not be below the minimum' };
  if (settings.initial > settings.max) return { key: 'initial', rule: 'must not be above the maximum' };
  return undefined;
}
