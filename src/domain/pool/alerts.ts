import type { CreationBackoff } from './creation-backoff.js';
import { SLOW_ACQUIRE_MS, WINDOW_MS, type RecentWindow } from './recent-window.js';

export type AlertKind =
  'exhausted' | 'health_failures' | 'slow_acquire' | 'reset_failures' | 'create_failures' | 'host_budget';

/** A condition of a pool that somebody should look at. */
export interface PoolAlert {
  kind: AlertKind;
  /** Milliseconds since the epoch. */
  since: number;
  /** A share from 0 to 1, milliseconds or a count, as the kind says. */
  value: number;
  /** From which value on it is an alert. */
  threshold: number;
  /** What it means and what to do. */
  message: string;
}

/** What alerts are judged by. */
export interface PoolCondition {
  /** Milliseconds since the epoch. */
  now: number;
  recent: RecentWindow;
  available: number;
  total: number;
  max: number;
  /** How long the first in the queue has waited; 0: nobody waits. Milliseconds. */
  longestWaitMs: number;
  backoff: Pick<CreationBackoff, 'lastError' | 'inARow'>;
  /** What is promised, in words, when the budget keeps the pool from growing; undefined: it does not. */
  budgetUsed: string | undefined;
}

const MOST_HEALTH_FAILURES = 0.05;
const MOST_RESET_FAILURES = 0.01;
/** Single slow acquires (a pool's first container) are no alert. */
const MOST_SLOW_ACQUIRES = 0.05;
const MINUTES = WINDOW_MS / 60_000;

type Finding = Omit<PoolAlert, 'kind' | 'since'>;

/** What holds now. Shares are those of the last five minutes. */
function judge(pool: PoolCondition): Partial<Record<AlertKind, Finding>> {
  const found: Partial<Record<AlertKind, Finding>> = {};
  const recent = pool.recent.total(pool.now);
  if (pool.available === 0 && pool.total >= pool.max)
    found.exhausted = {
      value: pool.available,
      threshold: 1,
      message: `no sandbox is available and the pool is at its maximum of ${pool.max}: raise max_size`,
    };
  const unhealthy = share(recent.checkFailures, recent.checks);
  if (unhealthy > MOST_HEALTH_FAILURES)
    found.health_failures = {
      value: unhealthy,
      threshold: MOST_HEALTH_FAILURES,
      message: `${recent.checkFailures} of ${recent.checks} health checks of the last ${MINUTES} minutes failed: look at the engine`,
    };
  const slow = share(recent.slowAcquires, recent.acquires) > MOST_SLOW_ACQUIRES;
  if (slow || pool.longestWaitMs > SLOW_ACQUIRE_MS)
    found.slow_acquire = {
      value: Math.max(pool.longestWaitMs, recent.slowestMs),
      threshold: SLOW_ACQUIRE_MS,
      message:
        `${recent.slowAcquires} of ${recent.acquires} requests of the last ${MINUTES} minutes waited longer than a second for a ` +
        `sandbox: raise initial_size and max_size`,
    };
  const dirty = share(recent.resetFailures, recent.resets);
  if (dirty > MOST_RESET_FAILURES)
    found.reset_failures = {
      value: dirty,
      threshold: MOST_RESET_FAILURES,
      message: `${recent.resetFailures} of ${recent.resets} resets of the last ${MINUTES} minutes failed: look at recent_resets`,
    };
  const { lastError, inARow } = pool.backoff;
  if (lastError !== undefined)
    found.create_failures = {
      value: inARow,
      threshold: 1,
      message: `sandboxes cannot be created: ${lastError.message}`,
    };
  if (pool.budgetUsed !== undefined)
    found.host_budget = {
      value: 0,
      threshold: 1,
      message: `the pool may not grow, ${pool.budgetUsed}: raise budget.memoryBytes and budget.cpuMillis, or make pools smaller`,
    };
  return found;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** The alerts of one pool, each with when it began. */
export class PoolAlerts {
  readonly #raised = new Map<AlertKind, PoolAlert>();

  constructor(private readonly on: { raised(alert: PoolAlert): void; cleared(alert: PoolAlert): void }) {}

  /** Those that hold now; tells of what has changed since the last time. Of a pool that serves nothing, none holds. */
  evaluate(condition: PoolCondition | undefined): PoolAlert[] {
    const found = condition === undefined ? {} : judge(condition);
    for (const alert of this.#raised.values()) {
      if (found[alert.kind] !== undefined) continue;
      this.#raised.delete(alert.kind);
      this.on.cleared(alert);
    }
    for (const [kind, finding] of Object.entries(found) as [AlertKind, Finding][]) {
      const before = this.#raised.get(kind);
      const alert: PoolAlert = { kind, since: before?.since ?? condition?.now ?? 0, ...finding };
      this.#raised.set(kind, alert);
      if (before === undefined) this.on.raised(alert);
    }
    return [...this.#raised.values()];
  }
}
