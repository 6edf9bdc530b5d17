import type { MissReason } from './outcome.js';
import type { SlotTable } from './slot-table.js';
import type { Slot } from './slot.js';

/** Why a request finds no sandbox ready in a pool; `hasServed`: one has been ready for somebody before. */
export function missReasonOf(slots: SlotTable, max: number, hasServed: boolean): MissReason {
  const used = slots.count('leased') + slots.count('resetting') + slots.count('kept');
  if (used > 0 && slots.size >= max && slots.count('creating') === 0)
    return slots.count('kept') > 0 ? 'other_tenant' : 'at_maximum';
  if (used > 0)
    return slots.count('leased') === 0 && slots.count('resetting') > 0 ? 'resetting' : 'all_in_use';
  if ([...slots.all().values()].some(isIll)) return 'unhealthy';
  return hasServed ? 'all_in_use' : 'warming_up';
}

function isIll(slot: Slot): boolean {
  return slot.state === 'destroying' && (slot.cause === 'died' || slot.cause === 'unhealthy');
}
