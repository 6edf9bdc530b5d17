import type { ReadySlot, Slot, SlotState } from './slot.js';

/**
 * The places of one pool. Invariants: the count of each state is exact after every change, so that no decision needs to look
 * at all places; warm ones are found in the order in which they were made, kept ones by tenant (the newest) and by age (the
 * oldest).
 */
export class SlotTable {
  readonly #slots = new Map<string, Slot>();
  readonly #counts: Record<SlotState, number> = {
    creating: 0,
    warm: 0,
    leased: 0,
    resetting: 0,
    kept: 0,
    destroying: 0,
  };
  readonly #warm = new Set<Slot & { state: 'warm' }>();
  /** In the order in which they came back. */
  readonly #kept = new Set<Slot & { state: 'kept' }>();
  /** The newest last. */
  readonly #keptFor = new Map<string, (Slot & { state: 'kept' })[]>();

  get size(): number {
    return this.#slots.size;
  }

  count(state: SlotState): number {
    return this.#counts[state];
  }

  /** Ready for somebody. */
  get available(): number {
    return this.#counts.warm + this.#counts.kept;
  }

  get(id: string): Slot | undefined {
    return this.#slots.get(id);
  }

  all(): ReadonlyMap<string, Slot> {
    return this.#slots;
  }

  /** Puts a slot in the place of the one with its id. */
  set(slot: Slot): void {
    const before = this.#slots.get(slot.id);
    if (before !== undefined) this.#leave(before);
    this.#slots.set(slot.id, slot);
    this.#counts[slot.state]++;
    if (slot.state === 'warm') this.#warm.add(slot);
    else if (slot.state === 'kept') {
      this.#kept.add(slot);
      const own = this.#keptFor.get(slot.tenant);
      if (own === undefined) this.#keptFor.set(slot.tenant, [slot]);
      else own.push(slot);
    }
  }

  delete(id: string): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#leave(slot);
    this.#slots.delete(id);
  }

  /** The best ready one for a tenant: the one it used last, else the oldest that nobody has had. */
  readyFor(tenant: string): ReadySlot | undefined {
    const own = this.#keptFor.get(tenant);
    return own !== undefined ? own[own.length - 1] : this.#warm.values().next().value;
  }

  /** The one that has been kept longest. */
  oldestKept(): (Slot & { state: 'kept' }) | undefined {
    return this.#kept.values().next().value;
  }

  oldestWarm(): (Slot & { state: 'warm' }) | undefined {
    return this.#warm.values().next().value;
  }

  #leave(slot: Slot): void {
    this.#counts[slot.state]--;
    if (slot.state === 'warm') this.#warm.delete(slot);
    else if (slot.state === 'kept') {
      this.#kept.delete(slot);
      const own = this.#keptFor.get(slot.tenant)!;
      if (own.length === 1) this.#keptFor.delete(slot.tenant);
      else own.splice(own.lastIndexOf(slot), 1);
    }
  }
}
