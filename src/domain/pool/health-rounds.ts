import type { Logger } from '../../telemetry/logger.js';
import type { SandboxHealth } from '../sandbox/health.js';
import type { PoolReport } from './pool-report.js';
import type { SlotTable } from './slot-table.js';
import type { ReadySlot } from './slot.js';

/**
 * Checks the idle sandboxes of one pool, one after the other, once in each interval. Invariants: only what is ready is
 * checked, never what an execution runs in; a check holds nothing, so a sandbox may be leased in the middle of it, and what
 * the check then finds is worth nothing and dropped; there is one round at a time.
 */
export class HealthRounds {
  #lastRoundAt: number;
  #running = false;

  constructor(
    private readonly options: {
      slots: SlotTable;
      report: PoolReport;
      log: Logger;
      now: () => number;
      /** Replaces one that is unwell. */
      unhealthy: (slot: ReadySlot, health: SandboxHealth) => void;
    },
  ) {
    this.#lastRoundAt = options.now();
  }

  /** To be called often: begins a round when it is time. */
  tick(intervalMs: number): void {
    const now = this.options.now();
    if (this.#running || now - this.#lastRoundAt < intervalMs) return;
    this.#lastRoundAt = now;
    void this.#round();
  }

  async #round(): Promise<void> {
    this.#running = true;
    try {
      for (const slot of [...this.options.slots.all().values()]) {
        if (slot.state === 'warm' || slot.state === 'kept') await this.#check(slot);
      }
    } finally {
      this.#running = false;
    }
  }

  async #check(slot: ReadySlot): Promise<void> {
    const { slots, report, log, now, unhealthy } = this.options;
    const isAsBefore = (): boolean => slots.get(slot.id) === slot;
    if (!isAsBefore()) return;
    const health = await slot.sandbox.checkHealth();
    if (!isAsBefore()) return;
    report.counters.healthChecks++;
    report.recent.checked(now(), health.healthy);
    if (health.healthy) return;
    report.counters.healthCheckFailures++;
    log.warn(
      { event: 'sandbox_unhealthy', sandbox: slot.id, health },
      `a sandbox is unwell and replaced: ${health.message}`,
    );
    unhealthy(slot, health);
  }
}
