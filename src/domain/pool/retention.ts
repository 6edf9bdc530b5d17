import type { Isolation } from '../sandbox/spec.js';
import type { DestroyCause } from './destroy-cause.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';

/** Why a ready sandbox must go now by its age; undefined: it may stay. `now`: milliseconds since the epoch. */
export function overdue(slot: Slot, settings: PoolSettings, now: number): DestroyCause | undefined {
  if (slot.state !== 'warm' && slot.state !== 'kept') return undefined;
  if (now - slot.createdAt >= settings.maxAgeMs) return 'max_age';
  return slot.state === 'kept' && now - slot.since >= settings.keepForTenantMs ? 'idle' : undefined;
}

/** Why a sandbox that comes back from an execution is not used again; undefined: it is. */
export function spent(
  { sandbox, createdAt }: Slot & { state: 'leased' | 'resetting' },
  isolation: Isolation,
  settings: PoolSettings,
  now: number,
): DestroyCause | undefined {
  if (sandbox.lost) return 'died';
  if (isolation === 'single_use') return 'single_use';
  if (sandbox.uses >= settings.maxUses) return 'max_uses';
  return now - createdAt >= settings.maxAgeMs ? 'max_age' : undefined;
}
