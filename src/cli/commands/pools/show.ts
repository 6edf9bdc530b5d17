import {
  Isolation,
  PoolAlertKind,
  type ListPoolsResponse,
  PoolMissReason,
  PoolState,
  SandboxState,
  type HostBudget,
  type Percentiles,
  type Pool,
  type SandboxHealth,
} from '../../../../clients/typescript/src/index.js';
import { formatDuration, formatSpan } from '../../output/duration.js';
import { word } from '../../output/execution.js';
import type { Output } from '../../output/output.js';
import { printable } from '../../output/style.js';
import { formatSize } from '../../output/size.js';
import { table } from '../../output/table.js';

const HEADER = [
  'POOL',
  'LANGUAGE',
  'ISOLATION',
  'STATE',
  'READY',
  'IN USE',
  'TOTAL',
  'MIN/MAX',
  'HITS',
  'ACQUIRE P50',
  'P95',
];
const SANDBOX_HEADER = ['SANDBOX', 'STATE', 'AGE', 'EXECUTIONS', 'RESETS', 'LAST RESET', 'HEALTH'];
export function showPools(out: Output, { pools, poolEnabled, budget }: ListPoolsResponse): void {
  if (!poolEnabled) return out.line('pools are switched off, or there is no engine for them');
  for (const line of table(HEADER, pools.map(rowOf))) out.line(line);
  if (budget !== undefined && budget.memoryLimitBytes > 0) out.line(out.paint('dim', budgetText(budget)));
  for (const pool of pools) showTroubles(out, pool);
}

function rowOf(pool: Pool): string[] {
  const asked = pool.hits + pool.misses;
  return [
    pool.poolId,
    pool.spec?.language || 'commands',
    word(Isolation[pool.spec?.isolation ?? Isolation.UNSPECIFIED]),
    word(PoolState[pool.state]),
    String(pool.availableSandboxes),
    String(pool.inUseSandboxes),
    String(pool.totalSandboxes),
    `${pool.minSize}/${pool.maxSize}`,
    asked === 0 ? '' : `${(pool.hitRate * 100).toFixed(0)} %`,
    timed(pool.acquire, 'p50Ms'),
    timed(pool.acquire, 'p95Ms'),
  ];
}

function timed(percentiles: Percentiles | undefined, which: 'p50Ms' | 'p95Ms'): string {
  return percentiles === undefined || percentiles.count === 0 ? '' : formatDuration(percentiles[which]);
}

function budgetText({
  memoryPromisedBytes,
  memoryLimitBytes,
  cpuPromised,
  cpuLimit,
  oneShotSandboxes,
}: HostBudget): string {
  return `promised: ${formatSize(memoryPromisedBytes)} of ${formatSize(memoryLimitBytes)} of memory, ${cpuPromised} of ${cpuLimit} CPUs${oneShotSandboxes === 0 ? '' : `, ${oneShotSandboxes} single sandboxes`}`;
}

export function showPool(out: Output, pool: Pool): void {
  const facts: [string, string][] = [
    ['state', word(PoolState[pool.state])],
    ['image', printable(pool.spec?.image ?? '')],
    ['sandboxes', sizesText(pool)],
    ['executions', `${pool.totalExecutions}, ${pool.waitingExecutions} waiting`],
    ['hits', `${pool.hits} of ${pool.hits + pool.misses}${missesText(pool)}`],
    ['resets', `${pool.totalResets}, ${pool.resetFailures} failed`],
    ['health checks', `${pool.healthChecks}, ${pool.healthCheckFailures} failed`],
    ['settings', settingsText(pool)],
    ...(['acquire', 'reset', 'create', 'execution'] as const).map((name): [string, string] => [
      name,
      timesText(pool[name]),
    ]),
  ];
  out.line(out.paint('bold', pool.poolId));
  for (const line of table(
    ['', ''],
    facts.map(([name, value]) => [out.paint('dim', name), value]),
  ).slice(1)) {
    out.line(`  ${line}`);
  }
  showTroubles(out, pool);
  const nowMs = Date.now();
  const rows = pool.sandboxes.map((sandbox) => [
    sandbox.sandboxId,
    `${word(SandboxState[sandbox.state])}${sandbox.assigned ? ', assigned' : ''}`,
    sandbox.createTime === undefined ? '' : formatSpan(nowMs - sandbox.createTime.getTime()),
    String(sandbox.executionCount),
    String(sandbox.resetCount),
    sandbox.lastReset === undefined ? '' : formatDuration(sandbox.lastReset.tookMs),
    healthText(sandbox.health),
  ]);
  if (rows.length === 0) return;
  out.line();
  for (const line of table(SANDBOX_HEADER, rows)) out.line(line);
}

function sizesText(pool: Pool): string {
  const { availableSandboxes, inUseSandboxes, creatingSandboxes, resettingSandboxes, totalSandboxes } = pool;
  const initial = pool.settings?.initialSize;
  return (
    `${availableSandboxes} ready, ${inUseSandboxes} in use, ${creatingSandboxes} being created, ` +
    `${resettingSandboxes} being reset, ${totalSandboxes} in all (least ${pool.minSize}, ` +
    `${initial === undefined ? '' : `ready ${initial}, `}most ${pool.maxSize})`
  );
}

function settingsText({ settings, preset }: Pool): string {
  if (settings === undefined) return '';
  const time = (ms: number | undefined): string => formatDuration(ms ?? 0);
  const texts = [
    `idle after ${time(settings.idleTimeoutMs)}`,
    `checked every ${time(settings.healthIntervalMs)}`,
    `replaced after ${settings.maxUses} executions or ${time(settings.maxAgeMs)}`,
    `held for ${time(settings.tenantHoldMs)}`,
  ];
  return `${preset === '' ? '' : `${preset}: `}${texts.join(', ')}`;
}

function healthText(health: SandboxHealth | undefined): string {
  if (health === undefined) return '';
  if (!health.healthy) return printable(health.message);
  return `well, ${formatSize(health.memoryBytes)}, ${health.processes} processes`;
}

function missesText(pool: Pool): string {
  const texts = pool.missCounts.map(({ reason, count }) => `${count} ${word(PoolMissReason[reason])}`);
  return texts.length === 0 ? '' : `; misses: ${texts.join(', ')}`;
}

function timesText(percentiles: Percentiles | undefined): string {
  if (percentiles === undefined || percentiles.count === 0) return 'not measured yet';
  const { p50Ms, p95Ms, p99Ms, maxMs, count } = percentiles;
  const times = [
    `p50 ${formatDuration(p50Ms)}`,
    `p95 ${formatDuration(p95Ms)}`,
    `p99 ${formatDuration(p99Ms)}`,
  ];
  return `${times.join(', ')}, most ${formatDuration(maxMs)} (${count} measured)`;
}

function showTroubles(out: Output, { poolId, alerts, backoff }: Pool): void {
  const texts = alerts.map(({ message }) => message);
  const isTold = alerts.some(({ kind }) => kind === PoolAlertKind.CREATE_FAILURES);
  if (backoff !== undefined && !isTold)
    texts.push(`sandboxes cannot be created (${backoff.reason}): ${backoff.message}`);
  for (const text of texts) out.line(`${out.paint('yellow', '!')} ${poolId}: ${printable(text)}`);
}
