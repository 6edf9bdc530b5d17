import type { Logger } from '../../telemetry/logger.js';
import { Turns } from '../../lib/turns.js';
import type { BerthError } from '../errors.js';
import type { AnySandbox, SandboxFactory } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import { costOf, createWithin } from './creations.js';
import type { BudgetClient, HostBudget, Promised } from './host-budget.js';
import type { AcquireOptions, Lease } from './lease.js';
import type { MissReason, ServedBy } from './outcome.js';
import { budgetUsed, shuttingDown } from './refusals.js';
import { Removals } from './removals.js';
import { reasonOf } from './waiting-queue.js';

export interface OneShotRequest extends AcquireOptions {
  tenant: string;
  spec: SandboxSpec;
  missReason: MissReason;
  /** For people. */
  servedReason: string;
  /** Of the request, by `performance.now()`. */
  startedAt: number;
  /** How long it may wait for the budget. Milliseconds. */
  waitMs: number;
}

/** How long a success says that more can be made. Milliseconds. */
const BELIEVED_MS = 60_000;

/**
 * Sandboxes that are made for one execution and removed after it, on the same budget as the pools. Invariants: each is
 * promised by the budget from before its creation until it is gone; few are created at once; nothing of one that failed or
 * was given up is left.
 */
export class OneShots {
  readonly #living = new Map<string, AnySandbox | undefined>();
  readonly #removals: Removals;
  readonly #turns: Turns;
  readonly #closing = new AbortController();
  #emptied: (() => void)[] = [];
  /** By `performance.now()`; undefined: the last one failed. */
  #lastMadeAt: number | undefined;

  constructor(
    private readonly options: {
      servedBy: Exclude<ServedBy, 'pool'>;
      factory: SandboxFactory;
      budget: HostBudget;
      logger: Logger;
      createTimeoutMs: number;
      /** Created at once. */
      parallelCreates: number;
    },
  ) {
    this.#removals = new Removals(options.budget, options.logger);
    this.#turns = new Turns(options.parallelCreates);
  }

  /** Whether one was made not long ago, and none has failed since. */
  get works(): boolean {
    return this.#lastMadeAt !== undefined && performance.now() - this.#lastMadeAt < BELIEVED_MS;
  }

  has(sandboxId: string): boolean {
    return this.#living.has(sandboxId);
  }

  /** The engine says that the container of a sandbox has died. */
  containerDied(sandboxId: string): void {
    this.#living.get(sandboxId)?.containerDied();
  }

  /** @throws BerthError HOST_BUDGET, SANDBOX_CREATE_FAILED and its causes, CANCELLED, SHUTTING_DOWN */
  async acquire(request: OneShotRequest): Promise<Lease> {
    if (this.#closing.signal.aborted) throw shuttingDown();
    const { spec, onProgress } = request;
    const { budget } = this.options;
    const cost = costOf(spec);
    budget.check(cost);
    const signal = AbortSignal.any([
      this.#closing.signal,
      ...(request.signal === undefined ? [] : [request.signal]),
    ]);
    await this.#reserve(cost, request, signal);
    const id = this.options.factory.newId();
    this.#living.set(id, undefined);
    budget.oneShots++;
    try {
      onProgress?.({
        phase: 'creating_sandbox',
        queuePosition: 0,
        message: `a sandbox is made for it: ${request.servedReason}`,
      });
      const sandbox = await this.#create(id, spec, signal);
      this.#living.set(id, sandbox);
      return this.#lease(sandbox, cost, request);
    } catch (error) {
      budget.release(cost, false);
      this.#left(id);
      throw signal.aborted ? reasonOf(signal) : error;
    }
  }

  /** Takes no more requests; resolves when every one is gone, leased ones when they are released. */
  async close(): Promise<void> {
    this.#removals.stop();
    this.#closing.abort(shuttingDown());
    if (this.#living.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  async #create(id: string, spec: SandboxSpec, signal: AbortSignal): Promise<AnySandbox> {
    const { factory, createTimeoutMs, logger } = this.options;
    const endTurn = await this.#turns.take(signal);
    const abort = new AbortController();
    const cancel = (): void => abort.abort(signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const sandbox = await createWithin(factory, id, spec, createTimeoutMs, abort);
      this.#lastMadeAt = performance.now();
      return sandbox;
    } catch (error) {
      if (!signal.aborted) {
        this.#lastMadeAt = undefined;
        logger.warn(
          { event: 'sandbox_create_failed', sandbox: id, served_by: this.options.servedBy, err: error },
          'a sandbox for one execution could not be created',
        );
      }
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
      endTurn();
    }
  }

  #lease(sandbox: AnySandbox, cost: Promised, request: OneShotRequest): Lease {
    const { servedBy, logger } = this.options;
    const waitMs = performance.now() - request.startedAt;
    logger.info(
      {
        event: 'sandbox_acquired',
        sandbox: sandbox.id,
        tenant: request.tenant,
        acquisition_time_ms: waitMs,
        hit: false,
        miss: request.missReason,
        served_by: servedBy,
        why: request.servedReason,
      },
      'sandbox acquired',
    );
    let released = false;
    return {
      sandbox,
      poolId: '',
      servedBy,
      servedReason: request.servedReason,
      hit: false,
      missReason: request.missReason,
      waitMs,
      onRevoked: undefined,
      release: () => {
        if (released) return;
        released = true;
        logger.info(
          { event: 'sandbox_destroyed', sandbox: sandbox.id, cause: 'single_use', uses: sandbox.uses },
          'sandbox destroyed',
        );
        void this.#removals.remove(sandbox, cost, 'when_quiet').then(() => this.#left(sandbox.id));
      },
    };
  }

  #left(id: string): void {
    this.options.budget.oneShots--;
    this.#living.delete(id);
    if (this.#living.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Waits for its turn at the budget. @throws BerthError HOST_BUDGET when the time is over, or the signal's reason */
  #reserve(cost: Promised, { waitMs, onProgress }: OneShotRequest, signal: AbortSignal): Promise<void> {
    const { budget } = this.options;
    return new Promise((resolve, reject) => {
      const client: BudgetClient = {
        budgetFreed: () => {
          if (!budget.tryReserve(client, cost, cost)) return;
          settle();
          resolve();
        },
      };
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', cancel);
      };
      const giveUp = (error: BerthError): void => {
        settle();
        budget.withdraw(client);
        reject(error);
      };
      const cancel = (): void => giveUp(reasonOf(signal));
      const timer = setTimeout(
        () => giveUp(budgetUsed(budget, `within ${waitMs} ms nothing came free, and `)),
        waitMs,
      );
      if (signal.aborted) return cancel();
      signal.addEventListener('abort', cancel, { once: true });
      client.budgetFreed();
      if (budget.isAwaitedBy(client))
        onProgress?.({
          phase: 'waiting_for_sandbox',
          queuePosition: 0,
          message: `it waits for the host's budget: ${budget.describe()}`,
        });
    });
  }
}
