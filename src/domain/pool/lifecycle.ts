/** Where a pool stands between its making and its end. */
export type Lifecycle =
  /** It serves. */
  | { phase: 'open' }
  /** It gives out nothing more until what runs has come back; `ended`: the executions that had to be ended for that. */
  | { phase: 'draining'; ended: Promise<number> }
  /** It is empty, and stays so until it is asked to warm up. */
  | { phase: 'drained' }
  /** It is out of the registry, for good. */
  | { phase: 'closed' };

export type LifecycleEvent =
  | { type: 'drain'; ended: Promise<number> }
  /** Its last sandbox is gone. */
  | { type: 'emptied' }
  | { type: 'warm' }
  | { type: 'close' };

/** What follows; what an event does not apply to stays as it is. */
export function nextLifecycle(from: Lifecycle, event: LifecycleEvent): Lifecycle {
  switch (event.type) {
    case 'drain':
      return from.phase === 'open' ? { phase: 'draining', ended: event.ended } : from;
    case 'emptied':
      // The daemon may have begun to stop meanwhile.
      return from.phase === 'draining' ? { phase: 'drained' } : from;
    case 'warm':
      return from.phase === 'drained' ? { phase: 'open' } : from;
    case 'close':
      return { phase: 'closed' };
  }
}

/** The lifecycle of one pool, for all parts of it to look at. */
export class PoolLifecycle {
  #now: Lifecycle = { phase: 'open' };

  get now(): Lifecycle {
    return this.#now;
  }

  get phase(): Lifecycle['phase'] {
    return this.#now.phase;
  }

  apply(event: LifecycleEvent): void {
    this.#now = nextLifecycle(this.#now, event);
  }
}
