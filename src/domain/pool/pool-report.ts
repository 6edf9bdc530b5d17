import type { Logger } from '../../telemetry/logger.js';
import type { BerthError } from '../errors.js';
import type { ResetReceipt } from '../sandbox/execution.js';
import type { AnySandbox } from '../sandbox/sandbox.js';
import type { SandboxSpec } from '../sandbox/spec.js';
import type { PoolAlert } from './alerts.js';
import type { CreationBackoff } from './creation-backoff.js';
import type { DestroyCause } from './destroy-cause.js';
import type { PoolEvents, PoolState } from './events.js';
import type { PoolLease } from './pool-lease.js';
import { RecentResets } from './recent-resets.js';
import { RecentWindow } from './recent-window.js';
import type { PoolSettings } from './settings.js';
import { PoolCounters } from './stats.js';

/**
 * What a pool tells of itself: counters, log and events, in one place. Invariant: what happens at every execution makes no
 * object for a log line or an event that nobody wants.
 */
export class PoolReport {
  readonly counters = new PoolCounters();
  readonly recent = new RecentWindow();
  readonly resets = new RecentResets();
  readonly #logsDebug: boolean;
  #state: PoolState = 'warming';
  #initialised = false;

  constructor(
    private readonly poolId: string,
    private readonly log: Logger,
    private readonly events: PoolEvents,
    private readonly now: () => number,
  ) {
    this.#logsDebug = log.isLevelEnabled?.('debug') ?? true;
  }

  /** The pool's first sandboxes have been ready. */
  get isInitialised(): boolean {
    return this.#initialised;
  }

  acquired({ sandbox, tenant, waitMs, missReason }: PoolLease, now: number): void {
    const { counters, events } = this;
    if (missReason === undefined) counters.hits++;
    else counters.misses[missReason]++;
    counters.waitMs.add(waitMs);
    this.recent.acquired(now, waitMs);
    if (this.#logsDebug)
      this.log.debug(
        {
          event: 'sandbox_acquired',
          sandbox: sandbox.id,
          tenant,
          acquisition_time_ms: waitMs,
          hit: missReason === undefined,
          miss: missReason,
        },
        'sandbox acquired',
      );
    if (events.wantsExecutions)
      events.emitExecution(this.poolId, {
        type: 'sandbox_acquired',
        sandboxId: sandbox.id,
        acquireMs: waitMs,
        missReason,
      });
  }

  reset(sandboxId: string, receipt: ResetReceipt): void {
    const { counters, events } = this;
    this.recent.reset(this.now(), receipt.ok);
    this.resets.add({ sandboxId, receipt });
    if (events.wantsExecutions)
      events.emitExecution(this.poolId, { type: 'sandbox_reset', sandboxId, receipt });
    if (receipt.ok) {
      counters.resets++;
      counters.resetMs.add(receipt.elapsedMs);
      if (this.#logsDebug)
        this.log.debug(
          {
            event: 'sandbox_reset_completed',
            sandbox: sandboxId,
            reset_time_ms: receipt.elapsedMs,
            receipt,
          },
          'sandbox reset completed',
        );
    } else {
      counters.resetFailures++;
      this.log.warn(
        { event: 'sandbox_reset_failed', sandbox: sandboxId, receipt },
        `sandbox reset failed, it is replaced: ${receipt.error}`,
      );
    }
  }

  returned(sandboxId: string, tenant: string): void {
    if (this.#logsDebug)
      this.log.debug({ event: 'sandbox_returned', sandbox: sandboxId, tenant }, 'sandbox returned');
    if (this.events.wantsExecutions)
      this.events.emitExecution(this.poolId, { type: 'sandbox_returned', sandboxId });
  }

  created({ id: sandboxId, containerId }: AnySandbox, tookMs: number): void {
    this.counters.created++;
    this.counters.createMs.add(tookMs);
    this.log.info(
      { event: 'sandbox_created', sandbox: sandboxId, create_time_ms: tookMs },
      'sandbox created',
    );
    this.events.emit(this.poolId, { type: 'sandbox_created', sandboxId, containerId, tookMs });
  }

  createFailed(
    sandboxId: string,
    error: BerthError,
    { inARow, nextAttemptAt }: Pick<CreationBackoff, 'inARow' | 'nextAttemptAt'>,
  ): void {
    this.counters.createFailures++;
    this.log.warn(
      { event: 'sandbox_create_failed', sandbox: sandboxId, err: error, retry_at: nextAttemptAt },
      'a sandbox could not be created',
    );
    this.events.emit(this.poolId, { type: 'create_failed', backoff: { inARow, error, nextAttemptAt } });
    this.#tellDestroyed(sandboxId, 'create_failed', error.message, 0);
  }

  /** A creation that was no longer wanted came to nothing. */
  createAborted(sandboxId: string, cause: DestroyCause): void {
    this.#tellDestroyed(sandboxId, cause, 'before it was ready', 0);
  }

  destroyed({ id, uses }: AnySandbox, cause: DestroyCause, message: string): void {
    if (cause === 'idle') this.counters.idleReclaimed++;
    this.log.info(
      { event: 'sandbox_destroyed', sandbox: id, cause, why: message, uses },
      'sandbox destroyed',
    );
    this.#tellDestroyed(id, cause, message, uses);
  }

  alert(type: 'alert_raised' | 'alert_cleared', alert: PoolAlert): void {
    const fields = {
      event: `pool_${type}`,
      alert: alert.kind,
      value: alert.value,
      threshold: alert.threshold,
    };
    if (type === 'alert_raised') this.log.warn(fields, alert.message);
    else this.log.info(fields, 'the condition no longer holds');
    this.events.emit(this.poolId, { type, alert });
  }

  resized(settings: PoolSettings): void {
    this.log.info({ event: 'pool_resized', ...settings }, 'pool resized');
    this.events.emit(this.poolId, { type: 'resized', settings });
  }

  initialised(spec: SandboxSpec, settings: PoolSettings, available: number, tookMs: number): void {
    this.#initialised = true;
    this.log.info(
      {
        event: 'pool_initialised',
        image: spec.image,
        languages: spec.languages,
        available,
        initialisation_time_ms: tookMs,
        ...settings,
      },
      'pool initialised',
    );
    this.events.emit(this.poolId, { type: 'initialised', available, tookMs });
  }

  /** Said only when the state is another one than before. */
  state(to: PoolState, reason: string): void {
    const from = this.#state;
    if (to === from) return;
    this.#state = to;
    this.log.info({ event: 'pool_state_changed', from, to, why: reason }, 'pool state changed');
    this.events.emit(this.poolId, { type: 'state_changed', from, to, reason });
  }

  removed(): void {
    this.log.info({ event: 'pool_removed' }, 'pool removed');
    this.events.emit(this.poolId, { type: 'removed' });
  }

  #tellDestroyed(sandboxId: string, cause: DestroyCause, message: string, uses: number): void {
    this.events.emit(this.poolId, { type: 'sandbox_destroyed', sandboxId, cause, message, uses });
  }
}
