import type { Logger } from '../../telemetry/logger.js';
import { BerthError, messageOf } from '../errors.js';
import type { AnySandbox, SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { CreationBackoff } from './creation-backoff.js';
import type { Lease } from './lease.js';
import type { ReadySlot, Slot } from './slot.js';
import type { MissReason } from './outcome.js';
import { PoolCounters } from './stats.js';
import { sizesProblem, type PoolSizes } from './sizes.js';
import { WarmWaiters } from './warm-waiters.js';

interface Waiter {
  tenant: string;
  missReason: MissReason;
  grant(slot: ReadySlot): void;
  fail(error: BerthError): void;
}

export interface PoolOptions {
  id: string;
  spec: SandboxSpec;
  sizes: PoolSizes;
  factory: SandboxFactory;
  logger: Logger;
  keepForTenantMs: number;
  acquireTimeoutMs: number;
  createTimeoutMs: number;
  maxUses: number;
  maxAgeMs: number;
  parallelCreates: number;
  now?: () => number;
}

const REMOVE_AGAIN_MS = 5_000;

/**
 * The warm sandboxes of one spec. Everything happens on one thread between awaits, and every change ends in `#pump`,
 * which serves waiters in order and then grows or shrinks to what is wanted.
 *
 * Invariants: slots never exceed `sizes.max`; a sandbox serves one tenant in its life; a waiter that gives up leaves no
 * hole (it owns nothing until it is granted); `initial` counts sandboxes that no tenant has had.
 */
export class SandboxPool {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly counters = new PoolCounters();
  readonly createdAt: number;
  readonly #slots = new Map<string, Slot>();
  #waiters: Waiter[] = [];
  #sizes: PoolSizes;
  #warmTarget: number;
  #lastUsedAt: number;
  #closed = false;
  readonly #backoff: CreationBackoff;
  readonly #warmWaiters = new WarmWaiters();
  #emptied: (() => void)[] = [];
  readonly #now: () => number;
  readonly #log: Logger;

  constructor(private readonly options: PoolOptions) {
    this.id = options.id;
    this.spec = options.spec;
    this.#sizes = options.sizes;
    this.#warmTarget = options.sizes.initial;
    this.#now = options.now ?? Date.now;
    this.#backoff = new CreationBackoff(this.#now, () => this.#pump());
    this.createdAt = this.#now();
    this.#lastUsedAt = this.createdAt;
    this.#log = options.logger.child({ pool: options.id });
    this.#pump();
  }

  get sizes(): PoolSizes {
    return this.#sizes;
  }

  /** What holds creations back after failures. */
  get backoff(): Pick<CreationBackoff, 'lastError' | 'inARow' | 'nextAttemptAt'> {
    return this.#backoff;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  get lastUsedAt(): number {
    return this.#lastUsedAt;
  }

  slots(): ReadonlyMap<string, Slot> {
    return this.#slots;
  }

  count(...states: Slot['state'][]): number {
    let n = 0;
    for (const slot of this.#slots.values()) if (states.includes(slot.state)) n++;
    return n;
  }

  /**
   * A sandbox for one execution of `tenant`: one kept for it, else a warm one, else it waits its turn while the pool grows.
   * @throws BerthError POOL_EXHAUSTED (waited `timeoutMs`), SANDBOX_CREATE_FAILED and its causes, CANCELLED, SHUTTING_DOWN
   */
  acquire(
    tenant: string,
    options: { signal?: AbortSignal; timeoutMs?: number; missReason?: MissReason } = {},
  ): Promise<Lease> {
    if (this.#closed)
      return Promise.reject(new BerthError('SHUTTING_DOWN', 'the pool is closing and gives no sandbox'));
    const startedAt = performance.now();
    this.#lastUsedAt = this.#now();
    this.#warmTarget = this.#sizes.initial;
    const ready = this.#waiters.length === 0 ? this.#takeReady(tenant) : undefined;
    if (ready !== undefined) {
      const lease = this.#lease(ready, tenant, startedAt, undefined);
      // Growing behind the caller's back must not delay it.
      setImmediate(() => this.#pump());
      return Promise.resolve(lease);
    }
    return this.#wait(tenant, startedAt, options);
  }

  /** Changes the sizes; the pool grows or shrinks towards them at once, never touching a leased sandbox. */
  resize(sizes: PoolSizes): void {
    const problem = sizesProblem(sizes);
    if (problem !== undefined)
      throw new BerthError('INVALID_ARGUMENT', problem, { violations: [{ field: 'sizes', rule: problem }] });
    this.#sizes = sizes;
    this.#warmTarget = sizes.initial;
    this.#lastUsedAt = this.#now();
    this.#pump();
  }

  /** Resolves when `target` warm sandboxes (at most `max`) exist. @throws the creation's error when one fails */
  async warm(target: number, signal?: AbortSignal): Promise<void> {
    this.#lastUsedAt = this.#now();
    this.#warmTarget = Math.min(Math.max(target, this.#warmTarget), this.#sizes.max);
    await this.#warmWaiters.wait(this.#warmTarget, signal, () => this.#pump());
  }

  /** What kept sandboxes from being made may be over: tries again at once. */
  retryNow(): void {
    this.#backoff.forgive();
    this.#pump();
  }

  /** To be called about once a second: keeps ages, idle time and kept sandboxes within their limits. */
  maintain(): void {
    if (this.#closed) return;
    const now = this.#now();
    if (now - this.#lastUsedAt >= this.#sizes.idleTimeoutMs) this.#warmTarget = this.#sizes.min;
    for (const [id, slot] of this.#slots) {
      if (slot.state === 'kept' && now - slot.since >= this.options.keepForTenantMs)
        this.#destroy(id, slot, 'kept time over');
      else if (
        (slot.state === 'warm' || slot.state === 'kept') &&
        now - slot.createdAt >= this.options.maxAgeMs
      )
        this.#destroy(id, slot, 'maximum age');
    }
    this.#pump();
  }

  /** Takes no more requests, removes idle sandboxes at once and leased ones when they are released; resolves when all are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#backoff.close();
    const stopping = new BerthError(
      'SHUTTING_DOWN',
      'berthd is stopping; send the request again when it is back',
    );
    for (const waiter of this.#waiters.splice(0)) waiter.fail(stopping);
    this.#warmWaiters.fail(stopping);
    for (const [id, slot] of this.#slots) {
      if (slot.state === 'creating') slot.abort.abort();
      else if (slot.state === 'warm' || slot.state === 'kept') this.#destroy(id, slot, 'pool closed');
    }
    if (this.#slots.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  /** Ends what still runs: destroys every sandbox, leased ones too. */
  kill(): void {
    for (const [id, slot] of this.#slots) {
      if (slot.state === 'creating') slot.abort.abort();
      else if (slot.state !== 'destroying') this.#destroy(id, slot, 'daemon stopped');
    }
  }

  #wait(
    tenant: string,
    startedAt: number,
    options: { signal?: AbortSignal; timeoutMs?: number; missReason?: MissReason },
  ): Promise<Lease> {
    const { signal, timeoutMs = this.options.acquireTimeoutMs } = options;
    return new Promise<Lease>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        tenant,
        missReason: options.missReason ?? this.#missReason(),
        grant: (slot) => {
          settle();
          resolve(this.#lease(slot, tenant, startedAt, waiter.missReason));
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const cancel = (): void => waiter.fail(reasonOf(signal));
      const timer = setTimeout(() => {
        this.counters.acquireTimeouts++;
        waiter.fail(this.#exhausted(timeoutMs));
      }, timeoutMs);
      if (signal?.aborted === true) return cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiters.push(waiter);
      this.#pump();
      // Nothing exists and nothing may be made now: waiting would only hide why.
      const { lastError } = this.#backoff;
      if (this.#slots.size === 0 && this.#backoff.holdsBack && lastError !== undefined)
        waiter.fail(lastError);
    });
  }

  #missReason(): MissReason {
    if (this.#slots.size >= this.#sizes.max && this.count('creating') === 0)
      return this.count('kept') > 0 ? 'other_tenant' : 'at_maximum';
    if (this.counters.hits === 0 && this.count('leased', 'resetting', 'kept') === 0) return 'warming_up';
    return this.count('leased') === 0 && this.count('resetting') > 0 ? 'resetting' : 'all_in_use';
  }

  #exhausted(timeoutMs: number): BerthError {
    const cause = this.#backoff.lastError;
    const why =
      cause !== undefined
        ? `the last creation failed: ${cause.message}`
        : `${this.count('leased', 'resetting')} of at most ${this.#sizes.max} are in use`;
    return new BerthError(
      'POOL_EXHAUSTED',
      `no sandbox became free within ${timeoutMs} ms: ${why}; retry, or raise pool.max`,
      {
        cause,
        retryAfterMs: 1_000,
        quota: [{ subject: `pool:${this.id}`, description: `at most ${this.#sizes.max} sandboxes` }],
        metadata: { pool: this.id },
      },
    );
  }

  /** The best idle sandbox for a tenant: one it had (most recently used first), else one nobody had. */
  #takeReady(tenant: string): ReadySlot | undefined {
    let best: ReadySlot | undefined;
    for (const slot of this.#slots.values()) {
      if (slot.state === 'kept' && slot.tenant === tenant) {
        if (best?.state !== 'kept' || slot.since > best.since) best = slot;
      } else if (slot.state === 'warm' && best === undefined) best = slot;
    }
    return best;
  }

  #lease(slot: ReadySlot, tenant: string, startedAt: number, miss: MissReason | undefined): Lease {
    const { sandbox, createdAt } = slot;
    this.#slots.set(sandbox.id, { state: 'leased', sandbox, tenant, createdAt });
    const waitMs = performance.now() - startedAt;
    if (miss === undefined) this.counters.hits++;
    else this.counters.misses[miss]++;
    this.counters.waitMs.add(waitMs);
    this.#log.debug(
      { event: 'sandbox_acquired', sandbox: sandbox.id, tenant, acquisition_time_ms: waitMs, miss },
      'sandbox acquired',
    );
    let released = false;
    return {
      sandbox,
      poolId: this.id,
      servedBy: 'pool',
      servedReason: '',
      onRevoked: undefined,
      hit: miss === undefined,
      missReason: miss,
      waitMs,
      release: () => {
        if (released) return;
        released = true;
        this.#lastUsedAt = this.#now();
        this.counters.executions++;
        this.counters.executionMs.add(performance.now() - startedAt);
        void this.#takeBack(sandbox, tenant, createdAt);
      },
    };
  }

  /** Resets a used sandbox and keeps it for its tenant, or destroys it when anything is in doubt. Never throws. */
  async #takeBack(sandbox: AnySandbox, tenant: string, createdAt: number): Promise<void> {
    const slot = this.#slots.get(sandbox.id);
    if (slot?.state !== 'leased') return;
    const spent = sandbox.uses >= this.options.maxUses || this.#now() - createdAt >= this.options.maxAgeMs;
    const reason = this.#closed
      ? 'pool closed'
      : sandbox.lost
        ? 'sandbox lost'
        : this.spec.isolation === 'single_use'
          ? 'single use'
          : spent
            ? 'spent'
            : undefined;
    if (reason !== undefined) return this.#destroy(sandbox.id, slot, reason);
    const resetting: Slot = { state: 'resetting', sandbox, tenant, createdAt };
    this.#slots.set(sandbox.id, resetting);
    try {
      const receipt = await sandbox.reset();
      this.counters.resets++;
      this.counters.resetMs.add(receipt.elapsedMs);
      this.#log.debug(
        { event: 'sandbox_reset_completed', sandbox: sandbox.id, reset_time_ms: receipt.elapsedMs, receipt },
        'sandbox reset completed',
      );
    } catch (error) {
      this.counters.resetFailures++;
      this.#log.warn(
        { event: 'sandbox_reset_failed', sandbox: sandbox.id, err: error },
        'sandbox reset failed; it is replaced',
      );
      if (this.#slots.get(sandbox.id) === resetting) this.#destroy(sandbox.id, resetting, 'reset failed');
      return;
    }
    if (this.#slots.get(sandbox.id) !== resetting) return;
    if (this.#closed) return this.#destroy(sandbox.id, resetting, 'pool closed');
    this.#slots.set(sandbox.id, { state: 'kept', sandbox, tenant, createdAt, since: this.#now() });
    this.#log.debug({ event: 'sandbox_returned', sandbox: sandbox.id, tenant }, 'sandbox returned');
    this.#pump();
  }

  /** Serves waiters in order, then brings the number of sandboxes to what is wanted. The only place that decides either. */
  #pump(): void {
    if (this.#closed) return;
    for (const waiter of [...this.#waiters]) {
      const ready = this.#takeReady(waiter.tenant);
      if (ready !== undefined) waiter.grant(ready);
    }
    this.#makeRoom();
    this.#shrink();
    this.#grow();
    // With no room and nothing in the making, more will not come.
    this.#warmWaiters.reached(
      this.count('warm'),
      this.#slots.size >= this.#sizes.max && this.count('creating') === 0,
    );
  }

  /** At the maximum with a tenant waiting, the sandbox kept longest for somebody else goes first. */
  #makeRoom(): void {
    const coming = this.count('creating', 'destroying');
    let lacking = this.#waiters.length - coming - Math.max(0, this.#sizes.max - this.#slots.size);
    if (lacking <= 0) return;
    const kept = [...this.#slots].filter(
      (entry): entry is [string, Slot & { state: 'kept' }] => entry[1].state === 'kept',
    );
    kept.sort((a, b) => a[1].since - b[1].since);
    for (const [id, slot] of kept) {
      if (lacking-- <= 0) return;
      this.#destroy(id, slot, 'another tenant waits');
    }
  }

  #shrink(): void {
    let surplus = Math.max(
      this.count('warm') +
        this.count('creating') -
        Math.max(this.#warmTarget, this.#sizes.min) -
        this.#waiters.length,
      this.#slots.size - this.#sizes.max,
    );
    for (const [id, slot] of this.#slots) {
      if (surplus <= 0) return;
      if (slot.state === 'warm') {
        this.counters.idleReclaimed++;
        this.#destroy(id, slot, 'idle');
        surplus--;
      }
    }
  }

  #grow(): void {
    if (this.#backoff.holdsBack) return;
    for (;;) {
      const creating = this.count('creating');
      const wanted = this.#warmTarget + this.#waiters.length - this.count('warm') - creating;
      const room = this.#sizes.max - this.#slots.size;
      if (wanted <= 0 || room <= 0 || creating >= this.options.parallelCreates) return;
      void this.#create();
    }
  }

  async #create(): Promise<void> {
    const abort = new AbortController();
    const startedAt = performance.now();
    const id = this.options.factory.newId();
    this.#slots.set(id, { state: 'creating', createdAt: this.#now(), abort });
    const timer = setTimeout(
      () => abort.abort(new Error(`creation took longer than ${this.options.createTimeoutMs} ms`)),
      this.options.createTimeoutMs,
    );
    try {
      const sandbox = await this.options.factory.create(id, this.spec, abort.signal);
      this.counters.created++;
      this.counters.createMs.add(performance.now() - startedAt);
      this.#backoff.succeeded();
      const slot: Slot = { state: 'warm', createdAt: this.#now(), sandbox };
      this.#slots.set(id, slot);
      sandbox.onLost = (loss) => this.#lost(sandbox, loss.message);
      this.#log.info({ event: 'sandbox_created', sandbox: id }, 'sandbox created');
      if (this.#closed) this.#destroy(id, slot, 'pool closed');
    } catch (error) {
      this.#slots.delete(id);
      if (!this.#closed) this.#creationFailed(error);
    } finally {
      clearTimeout(timer);
      this.#changed();
    }
  }

  #creationFailed(error: unknown): void {
    this.counters.createFailures++;
    const known =
      error instanceof BerthError
        ? error
        : new BerthError('SANDBOX_CREATE_FAILED', `no sandbox could be created: ${messageOf(error)}`, {
            cause: error,
          });
    this.#backoff.failed(known);
    this.#log.warn(
      { event: 'sandbox_create_failed', err: known, retry_at: this.#backoff.nextAttemptAt },
      'a sandbox could not be created',
    );
    this.#warmWaiters.fail(known);
    // Those who could still be served by a sandbox that exists go on waiting; the others learn why at once.
    if (this.count('leased', 'resetting', 'creating') === 0)
      for (const waiter of this.#waiters.splice(0)) waiter.fail(known);
  }

  #lost(sandbox: AnySandbox, why: string): void {
    this.counters.lost++;
    const slot = this.#slots.get(sandbox.id);
    // A leased one is destroyed when its execution, which was told as well, releases it.
    if (
      slot === undefined ||
      slot.state === 'leased' ||
      slot.state === 'creating' ||
      slot.state === 'destroying'
    )
      return;
    this.#destroy(sandbox.id, slot, `lost: ${why}`);
    this.#pump();
  }

  #destroy(id: string, slot: Slot, why: string): void {
    if (slot.state === 'creating' || slot.state === 'destroying') return;
    const { sandbox, createdAt } = slot;
    this.#slots.set(id, { state: 'destroying', createdAt, sandbox });
    this.#log.info({ event: 'sandbox_destroyed', sandbox: id, why, uses: sandbox.uses }, 'sandbox destroyed');
    void this.#remove(id, sandbox);
  }

  /** Tries until the container is gone: until then it counts. A closing pool leaves it to the next boot. */
  async #remove(id: string, sandbox: AnySandbox): Promise<void> {
    for (;;) {
      try {
        await sandbox.destroy();
        break;
      } catch (error) {
        this.#log.error(
          { event: 'sandbox_destroy_failed', sandbox: id, err: error },
          'a sandbox could not be removed yet',
        );
        if (this.#closed) break;
        await new Promise<void>((resolve) => setTimeout(resolve, REMOVE_AGAIN_MS).unref());
      }
    }
    this.#slots.delete(id);
    this.counters.destroyed++;
    this.#changed();
  }

  #changed(): void {
    this.#pump();
    if (this.#slots.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }
}

/** Why a signal was aborted, as an error of Berth. */
function reasonOf(signal: AbortSignal | undefined): BerthError {
  const reason: unknown = signal?.reason;
  return reason instanceof BerthError
    ? reason
    : new BerthError('CANCELLED', 'the caller cancelled while waiting for a sandbox');
}
