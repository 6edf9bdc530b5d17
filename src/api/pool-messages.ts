import {
  DestroyCause as DestroyCauseEnum,
  PoolAlertKind,
  PoolState as PoolStateEnum,
  type HostBudget as HostBudgetMessage,
  type Pool,
  type PoolAlert as AlertMessage,
  type PoolBackoff,
  type PoolSandbox,
  type PoolSettings as SettingsMessage,
  type SandboxHealth as HealthMessage,
  type SandboxReset as SandboxResetMessage,
} from '../../clients/typescript/src/gen/berth/v1/pool_service.js';
import { NetworkMode, type Percentiles } from '../../clients/typescript/src/gen/berth/v1/common.js';
import { SandboxState } from '../../clients/typescript/src/gen/berth/v1/sandbox_service.js';
import type { AlertKind, PoolAlert } from '../domain/pool/alerts.js';
import type { DestroyCause } from '../domain/pool/destroy-cause.js';
import type { BackoffReport, PoolState } from '../domain/pool/events.js';
import type { HostBudget } from '../domain/pool/host-budget.js';
import type { SandboxPool } from '../domain/pool/pool.js';
import type { SandboxReset } from '../domain/pool/recent-resets.js';
import { presetOf, type PoolSettings } from '../domain/pool/settings.js';
import type { Slot } from '../domain/pool/slot.js';
import type { Durations } from '../domain/pool/stats.js';
import type { SandboxHealth } from '../domain/sandbox/health.js';
import { ISOLATIONS, MISS_REASONS, toReceipt } from './execute-events.js';

export const POOL_STATES: Record<PoolState, PoolStateEnum> = {
  warming: PoolStateEnum.WARMING,
  ready: PoolStateEnum.READY,
  degraded: PoolStateEnum.DEGRADED,
  draining: PoolStateEnum.DRAINING,
  drained: PoolStateEnum.DRAINED,
};

export const DESTROY_CAUSES: Record<DestroyCause, DestroyCauseEnum> = {
  idle: DestroyCauseEnum.IDLE,
  reset_failed: DestroyCauseEnum.RESET_FAILED,
  unhealthy: DestroyCauseEnum.UNHEALTHY,
  max_uses: DestroyCauseEnum.MAX_USES,
  max_age: DestroyCauseEnum.MAX_AGE,
  single_use: DestroyCauseEnum.SINGLE_USE,
  other_tenant: DestroyCauseEnum.OTHER_TENANT,
  recycled: DestroyCauseEnum.RECYCLED,
  shrunk: DestroyCauseEnum.SHRUNK,
  died: DestroyCauseEnum.DIED,
  shutdown: DestroyCauseEnum.SHUTDOWN,
  create_failed: DestroyCauseEnum.CREATE_FAILED,
};

const ALERT_KINDS: Record<AlertKind, PoolAlertKind> = {
  exhausted: PoolAlertKind.EXHAUSTED,
  health_failures: PoolAlertKind.HEALTH_FAILURES,
  slow_acquire: PoolAlertKind.SLOW_ACQUIRE,
  reset_failures: PoolAlertKind.RESET_FAILURES,
  create_failures: PoolAlertKind.CREATE_FAILURES,
  host_budget: PoolAlertKind.HOST_BUDGET,
};

const SANDBOX_STATES: Record<Slot['state'], SandboxState> = {
  creating: SandboxState.CREATING,
  warm: SandboxState.AVAILABLE,
  kept: SandboxState.AVAILABLE,
  leased: SandboxState.IN_USE,
  resetting: SandboxState.RESETTING,
  destroying: SandboxState.DESTROYING,
};

/** A pool as the contract has it; its sandboxes and resets only where they are asked for. `host`: where its sandboxes are. */
export function toPool(pool: SandboxPool, host: string, withSandboxes: boolean): Pool {
  const { counters, settings, backoff } = pool;
  const misses = Object.values(counters.misses).reduce((sum, n) => sum + n, 0);
  const asked = counters.hits + misses;
  const slots = [...pool.slots().values()];
  return {
    poolId: pool.id,
    state: POOL_STATES[pool.state],
    spec: toSpec(pool),
    settings: toSettings(settings),
    preset: presetOf(settings),
    createTime: new Date(pool.createdAt),
    availableSandboxes: pool.available,
    inUseSandboxes: pool.count('leased'),
    totalSandboxes: pool.size,
    maxSize: settings.max,
    minSize: settings.min,
    totalCreated: counters.created,
    totalDestroyed: counters.destroyed,
    totalExecutions: counters.executions,
    totalResets: counters.resets,
    healthCheckFailures: counters.healthCheckFailures,
    sandboxes: withSandboxes ? slots.map((slot) => toSandbox(slot, host)) : [],
    creatingSandboxes: pool.count('creating'),
    resettingSandboxes: pool.count('resetting'),
    freshSandboxes: pool.count('warm'),
    heldSandboxes: pool.count('kept'),
    waitingExecutions: pool.waiting,
    hits: counters.hits,
    misses,
    missCounts: Object.entries(counters.misses)
      .map(([reason, count]) => ({ reason: MISS_REASONS[reason as keyof typeof MISS_REASONS], count }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count),
    hitRate: asked === 0 ? 0 : counters.hits / asked,
    acquireTimeouts: counters.acquireTimeouts,
    healthChecks: counters.healthChecks,
    resetFailures: counters.resetFailures,
    createFailures: counters.createFailures,
    totalIdleReclaimed: counters.idleReclaimed,
    totalLost: counters.lost,
    acquire: toPercentiles(counters.waitMs),
    reset: toPercentiles(counters.resetMs),
    create: toPercentiles(counters.createMs),
    execution: toPercentiles(counters.executionMs),
    alerts: pool.alerts().map(toAlert),
    recentResets: withSandboxes ? pool.recentResets.map(toReset) : [],
    backoff:
      backoff.lastError === undefined
        ? undefined
        : toBackoff({
            inARow: backoff.inARow,
            error: backoff.lastError,
            nextAttemptAt: backoff.nextAttemptAt,
          }),
    engine: slots.find((slot) => slot.state !== 'creating')?.sandbox.engineName ?? 'docker',
    memoryBytes: slots.reduce((sum, slot) => sum + lastKnownMemory(slot), 0),
  };
}

/** By the newest health check or reset of a sandbox; 0: neither was yet. */
function lastKnownMemory(slot: Slot): number {
  if (slot.state === 'creating') return 0;
  const { receipt, health } = slot.sandbox;
  const isReceiptNewer = (receipt?.at ?? 0) > (health?.at ?? 0);
  return (isReceiptNewer ? receipt : health)?.memoryBytes ?? 0;
}

function toSpec({ spec }: SandboxPool): Pool['spec'] {
  return {
    language: spec.languages[0] ?? '',
    languageVersion: '',
    image: `${spec.image}@${spec.imageDigest}`,
    requirements: [],
    limits: {
      memoryBytes: spec.limits.memoryBytes,
      cpus: spec.limits.cpuMillis / 1_000,
      maxProcesses: spec.limits.processes,
      scratchBytes: spec.limits.tmpfsBytes,
    },
    network: { mode: NetworkMode.NONE, egress: [] },
    isolation: ISOLATIONS[spec.isolation],
  };
}

export function toSettings(settings: PoolSettings): SettingsMessage {
  return {
    minSize: settings.min,
    initialSize: settings.initial,
    maxSize: settings.max,
    idleTimeoutMs: settings.idleTimeoutMs,
    healthIntervalMs: settings.healthIntervalMs,
    maxUses: settings.maxUses,
    maxAgeMs: settings.maxAgeMs,
    tenantHoldMs: settings.keepForTenantMs,
    resetTimeoutMs: settings.resetTimeoutMs,
  };
}

function toSandbox(slot: Slot, host: string): PoolSandbox {
  const sandbox = slot.state === 'creating' ? undefined : slot.sandbox;
  const health = sandbox?.health;
  return {
    sandboxId: slot.id,
    containerId: sandbox?.containerId ?? '',
    state: SANDBOX_STATES[slot.state],
    createTime: new Date(slot.createdAt),
    lastUsedTime: 'since' in slot ? new Date(slot.since) : undefined,
    executionCount: sandbox?.uses ?? 0,
    resetCount: sandbox?.receipt?.number ?? 0,
    // One that fails is replaced, so that no sandbox has more.
    healthCheckFailures: health?.healthy === false ? 1 : 0,
    assigned: slot.state === 'kept' || slot.state === 'leased' || slot.state === 'resetting',
    lastReset: sandbox?.receipt === undefined ? undefined : toReceipt(sandbox.receipt),
    health: health === undefined ? undefined : toHealth(health),
    host,
  };
}

function toHealth({ at, ...health }: SandboxHealth): HealthMessage {
  return { checkTime: new Date(at), ...health };
}

export function toReset({ sandboxId, receipt }: SandboxReset): SandboxResetMessage {
  return { sandboxId, receipt: toReceipt(receipt) };
}

export function toAlert({ kind, since, value, threshold, message }: PoolAlert): AlertMessage {
  return { kind: ALERT_KINDS[kind], sinceTime: new Date(since), value, threshold, message };
}

export function toBackoff({ inARow, error, nextAttemptAt }: BackoffReport): PoolBackoff {
  return {
    consecutiveFailures: inARow,
    reason: error.reason,
    message: error.message,
    nextAttemptTime: nextAttemptAt === undefined ? undefined : new Date(nextAttemptAt),
  };
}

export function toBudget({ limit, promised, oneShots }: HostBudget): HostBudgetMessage {
  return {
    memoryLimitBytes: limit.memoryBytes,
    memoryPromisedBytes: promised.memoryBytes,
    cpuLimit: limit.cpuMillis / 1_000,
    cpuPromised: promised.cpuMillis / 1_000,
    oneShotSandboxes: oneShots,
  };
}

function toPercentiles(durations: Durations): Percentiles {
  const [p50Ms, p95Ms, p99Ms, maxMs] = durations.percentiles(50, 95, 99, 100);
  return { count: durations.count, p50Ms, p95Ms, p99Ms, maxMs };
}
