import type { EnvStore } from '../../../src/domain/env/store.js';

/**
 * A store as seen by a daemon that is killed: at the given commit it dies, either before the commit happens or right
 * after it, and from then on nothing the daemon does reaches the store. What the daemon "does" after its death are only
 * failing calls, so it leaves the world as it was at that instant.
 */
export class Death {
  commits = 0;
  dead = false;

  constructor(
    private readonly at: number,
    private readonly when: 'before' | 'after',
  ) {}

  /** Kills the daemon now, whatever it is at. */
  strike(): never {
    this.dead = true;
    throw new Error('killed');
  }

  over(store: EnvStore): EnvStore {
    const guarded = <A extends unknown[], R>(call: (...args: A) => Promise<R>, mutates: boolean) => {
      return async (...args: A): Promise<R> => {
        if (this.dead) throw new Error('killed');
        const isTheOne = mutates && ++this.commits === this.at;
        if (isTheOne && this.when === 'before') this.strike();
        const result = await call(...args);
        if (isTheOne) this.strike();
        return result;
      };
    };
    return {
      claim: guarded(store.claim.bind(store), true),
      beginOperation: guarded(store.beginOperation.bind(store), true),
      commit: guarded(store.commit.bind(store), true),
      saveActivities: guarded(store.saveActivities.bind(store), false),
      saveDiskBytes: guarded(store.saveDiskBytes.bind(store), false),
      get: guarded(store.get.bind(store), false),
      findLive: guarded(store.findLive.bind(store), false),
      list: guarded(store.list.bind(store), false),
      listLive: guarded(store.listLive.bind(store), false),
      findOperationByRequest: guarded(store.findOperationByRequest.bind(store), false),
      getOperation: guarded(store.getOperation.bind(store), false),
      lastOutcome: guarded(store.lastOutcome.bind(store), false),
      listUnfinished: guarded(store.listUnfinished.bind(store), false),
      checkpoints: guarded(store.checkpoints.bind(store), false),
      events: guarded(store.events.bind(store), false),
      lastSeq: guarded(store.lastSeq.bind(store), false),
    };
  }
}
