import type { AnySandbox } from '../sandbox/sandbox.js';
import type { Lease } from './lease.js';
import type { MissReason } from './outcome.js';

/** Takes a pool's sandbox back. */
interface Lender {
  readonly id: string;
  takeBack(lease: PoolLease): void;
}

/** A lease of a pool's sandbox. One object for each execution, without closures: it is made on the hot path. */
export class PoolLease implements Lease {
  readonly servedBy = 'pool';
  onRevoked: (() => void) | undefined;
  #released = false;
  #revoked = false;

  /** `startedAt`: of the request, by `performance.now()`. */
  constructor(
    private readonly pool: Lender,
    readonly sandbox: AnySandbox,
    readonly tenant: string,
    readonly missReason: MissReason | undefined,
    readonly servedReason: string,
    readonly startedAt: number,
    readonly waitMs: number,
  ) {}

  get poolId(): string {
    return this.pool.id;
  }

  get hit(): boolean {
    return this.missReason === undefined;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.pool.takeBack(this);
  }

  /** Has the holder end its execution. False when that was asked before, or there is nothing to end. */
  revoke(): boolean {
    if (this.#released || this.#revoked) return false;
    this.#revoked = true;
    this.onRevoked?.();
    return true;
  }
}
