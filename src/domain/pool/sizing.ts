import type { DestroyCause } from './destroy-cause.js';

/** What the size of a pool is decided by. */
export interface SizingInput {
  creating: number;
  warm: number;
  kept: number;
  destroying: number;
  /** Sandboxes in all, those being created and destroyed included. */
  size: number;
  /** Sandboxes at most. */
  max: number;
  /** Warm sandboxes wanted beside those that somebody waits for. */
  warmTarget: number;
  /** Requests that wait and that nothing ready serves. */
  waiting: number;
  /** What is wanted at the cost of kept ones, before anybody waits for it: fresh sandboxes, and then empty places. */
  ahead: { fresh: number; places: number };
  /** Creations at once. */
  parallelCreates: number;
  /** No creation may begin, because the last ones failed. */
  holdsBack: boolean;
}

/** `oldest_kept`: the one that has waited longest for its tenant; `oldest_warm`: the first made of those nobody has had. */
export type SizingStep =
  | { type: 'destroy'; which: 'oldest_kept' | 'oldest_warm'; count: number; cause: DestroyCause }
  /** As far as the host's budget allows. */
  | { type: 'create'; count: number };

/**
 * What brings a pool to the size that is wanted: at first room for those who wait, then what is too much goes, then what is
 * lacking comes. `surplusCause`: why an idle sandbox beyond what is wanted goes.
 */
export function sizingSteps(now: SizingInput, surplusCause: DestroyCause): SizingStep[] {
  const { creating, max, waiting } = now;
  const warmTarget = Math.max(now.warmTarget, now.ahead.fresh);
  const steps: SizingStep[] = [];
  const destroy = (which: 'oldest_kept' | 'oldest_warm', count: number, cause: DestroyCause): void => {
    if (count > 0) steps.push({ type: 'destroy', which, count, cause });
  };

  // At the maximum with tenants waiting, or soon to wait, the sandboxes kept longest for others make room. While nothing can
  // be created, nothing is given up for it ahead of need.
  const coming = creating + now.destroying;
  const room = max - now.size;
  // Nor is more given up ahead than can be made at once: what is removed meanwhile only delays what is being made.
  const fresh = Math.max(0, now.ahead.fresh - now.warm);
  const ahead = now.holdsBack ? 0 : Math.min(fresh + now.ahead.places, now.parallelCreates);
  const displaced = within(waiting + ahead - coming - Math.max(0, room), now.kept);
  destroy('oldest_kept', displaced, 'other_tenant');

  // What is over the maximum goes before what is merely idle, and warm ones before those kept for a tenant.
  const over = Math.max(0, now.size - now.destroying - displaced - max);
  const idle = now.warm + creating - warmTarget - waiting;
  const warmGoing = within(Math.max(idle, over), now.warm);
  const shrunk = Math.min(over, warmGoing);
  destroy('oldest_warm', shrunk, 'shrunk');
  destroy('oldest_warm', warmGoing - shrunk, surplusCause);
  destroy('oldest_kept', within(over - warmGoing, now.kept - displaced), 'shrunk');

  // What is being destroyed still has its place: its successor is created when it is gone.
  const lacking = warmTarget + waiting - (now.warm - warmGoing) - creating;
  const count = Math.min(lacking, room, now.parallelCreates - creating);
  if (count > 0 && !now.holdsBack) steps.push({ type: 'create', count });
  return steps;
}

/** A count that is neither negative nor more than there are. */
function within(count: number, most: number): number {
  return Math.max(0, Math.min(count, most));
}
