import { BerthError } from '../errors.js';

/** What one container is promised, or many together. */
export interface Promised {
  /** Memory and swap together. Bytes. */
  memoryBytes: number;
  /** Thousandths of a core. */
  cpuMillis: number;
}

/** A pool, or a request for a container of its own, that takes from the budget. */
export interface BudgetClient {
  /** Something came free: it tries again, synchronously, by `tryReserve`. */
  budgetFreed(): void;
}

const NOTHING: Promised = { memoryBytes: 0, cpuMillis: 0 };

/**
 * The memory and CPU that Berth may promise to sandboxes on this host, over all pools and single containers together.
 *
 * Invariants: what is promised counts from before a container is asked for until it is gone, so it never exceeds the limit;
 * those with a request waiting are served in the order in which they first came, and nobody overtakes them, so a large one
 * is not starved by small ones; one that stops waiting says so by `withdraw`. `lacking` is called when they wait for more
 * than is free or on its way out, and may make room by destroying what is idle.
 */
export class HostBudget {
  readonly #promised: Promised = { ...NOTHING };
  /** Of the promised: of containers that are being removed. */
  readonly #leaving: Promised = { ...NOTHING };
  /** What each with a request waiting needs, in order. */
  readonly #waiting = new Map<BudgetClient, Promised>();
  /** Those who would like to have more, but for whom nobody waits. */
  readonly #wishing = new Set<BudgetClient>();
  #grants = 0;
  #serving = false;
  /** Containers that are of no pool. */
  oneShots = 0;
  lacking: ((need: Promised) => void) | undefined;

  constructor(readonly limit: Readonly<Promised>) {}

  get promised(): Readonly<Promised> {
    return this.#promised;
  }

  /** Whether somebody waits for it with a request. */
  isAwaitedBy(client: BudgetClient): boolean {
    return this.#waiting.has(client);
  }

  /** @throws BerthError HOST_BUDGET when so much is more than there will ever be */
  check(cost: Promised): void {
    if (cost.memoryBytes <= this.limit.memoryBytes && cost.cpuMillis <= this.limit.cpuMillis) return;
    throw new BerthError(
      'HOST_BUDGET',
      `a sandbox of ${mib(cost.memoryBytes)} and ${cost.cpuMillis / 1_000} CPUs is more than Berth may promise on this host ` +
        `(${mib(this.limit.memoryBytes)}, ${this.limit.cpuMillis / 1_000} CPUs); ask for less, or raise budget.memoryBytes and budget.cpuMillis`,
      { quota: [{ subject: 'host', description: this.describe() }] },
    );
  }

  /**
   * Promises `cost` for one container, if it is this client's turn and there is so much. Otherwise the client is told when
   * to try again. `need` is what its waiting requests need in all; nothing: nobody waits.
   */
  tryReserve(client: BudgetClient, cost: Promised, need: Promised): boolean {
    const first = this.#waiting.keys().next();
    const isTurn = first.done === true || first.value === client;
    if (isTurn && this.#fits(cost)) {
      this.#promised.memoryBytes += cost.memoryBytes;
      this.#promised.cpuMillis += cost.cpuMillis;
      this.#grants++;
      // Who wants more goes to the end.
      this.#waiting.delete(client);
      this.#wishing.delete(client);
      return true;
    }
    if (need.memoryBytes === 0) {
      this.#wishing.add(client);
      if (this.#waiting.delete(client)) this.#serve();
    } else {
      this.#wishing.delete(client);
      this.#waiting.set(client, need);
      this.#askForRoom();
    }
    return false;
  }

  /** A container is being removed: its promise will be released. */
  leaves(cost: Promised): void {
    this.#leaving.memoryBytes += cost.memoryBytes;
    this.#leaving.cpuMillis += cost.cpuMillis;
  }

  /** The container is gone, or never came; `left`: after `leaves`. */
  release(cost: Promised, left: boolean): void {
    this.#promised.memoryBytes -= cost.memoryBytes;
    this.#promised.cpuMillis -= cost.cpuMillis;
    if (left) {
      this.#leaving.memoryBytes -= cost.memoryBytes;
      this.#leaving.cpuMillis -= cost.cpuMillis;
    }
    this.#serve();
  }

  /** The client wants nothing more. */
  withdraw(client: BudgetClient): void {
    this.#wishing.delete(client);
    if (this.#waiting.delete(client)) this.#serve();
  }

  describe(): string {
    return `${mib(this.#promised.memoryBytes)} of ${mib(this.limit.memoryBytes)} of memory and ${this.#promised.cpuMillis / 1_000} of ${this.limit.cpuMillis / 1_000} CPUs are promised`;
  }

  #fits({ memoryBytes, cpuMillis }: Promised): boolean {
    return (
      this.#promised.memoryBytes + memoryBytes <= this.limit.memoryBytes &&
      this.#promised.cpuMillis + cpuMillis <= this.limit.cpuMillis
    );
  }

  /** In order, until the first that cannot be served; those for whom nobody waits come after all others. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (;;) {
        const first = this.#waiting.keys().next();
        if (first.done === true) break;
        const before = this.#grants;
        first.value.budgetFreed();
        if (this.#grants === before && this.#waiting.has(first.value)) return this.#askForRoom();
      }
      for (const client of [...this.#wishing]) {
        if (this.#waiting.size > 0) return;
        this.#wishing.delete(client);
        client.budgetFreed();
      }
    } finally {
      this.#serving = false;
    }
  }

  #askForRoom(): void {
    let memoryBytes = this.#promised.memoryBytes - this.#leaving.memoryBytes - this.limit.memoryBytes;
    let cpuMillis = this.#promised.cpuMillis - this.#leaving.cpuMillis - this.limit.cpuMillis;
    for (const need of this.#waiting.values()) {
      memoryBytes += need.memoryBytes;
      cpuMillis += need.cpuMillis;
    }
    if (memoryBytes > 0 || cpuMillis > 0) this.lacking?.({ memoryBytes, cpuMillis });
  }
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))} MiB`;
}
