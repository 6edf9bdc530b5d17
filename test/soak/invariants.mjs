// What must hold when the load is over, and after the daemon has gone.
import { setTimeout as delay } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { CancelCause, connect, EndReason, ExecutionState } from '../../dist/clients/typescript/src/index.js';
import { python } from './actions/action.mjs';
import { outcomeOf } from './expect.mjs';
import { follow } from './follow.mjs';
import { containersOf, ownedBy } from './watch/containers.mjs';
import { lookAt } from './watch/daemon.mjs';
import { cgroupsOf, processesUnder, shimsOf } from './watch/host.mjs';

const SETTLE_WITHIN_MS = 60_000;
const GONE_WITHIN_MS = 10_000;
const ASK_EVERY_MS = 100;
const ERROR_LEVEL = 50;

/**
 * Bounds of growth over the second half: of the line through its points. Pools grow and shrink with the load, some ten
 * descriptors a sandbox; V8 lets its heap grow until a collection is worth its while.
 */
const MOST_DESCRIPTORS_GROWTH = 40;
const MOST_RSS_GROWTH_MIB = 48;
/** Descriptors at rest, after it against before it: idle connections to Docker come and go. */
const MOST_DESCRIPTORS_KEPT = 6;
/** Its runner's stream and socket, and its cgroup's peak of memory: pools that were made meanwhile have warm sandboxes too. */
const DESCRIPTORS_A_SANDBOX = 3;

/** Outcomes, each with what was seen. */
export class Checks {
  /** @type {{name: string, ok: boolean, seen: string}[]} */
  all = [];

  add(name, ok, seen) {
    this.all.push({ name, ok, seen });
  }

  /** What was found that should not be there. */
  none(name, found) {
    this.add(name, found.length === 0, found.length === 0 ? 'none' : found.slice(0, 5).join('; '));
  }

  get failed() {
    return this.all.filter(({ ok }) => !ok);
  }
}

/** Resolves to the pools once every one is at its target, or as they are after a minute. */
export async function settledPools(client, signal) {
  const deadline = Date.now() + SETTLE_WITHIN_MS;
  for (;;) {
    signal.throwIfAborted();
    const { pools } = await client.pool.listPools({ pageSize: 500 });
    if (pools.every(isAtTarget) || Date.now() > deadline) return pools;
    await delay(ASK_EVERY_MS);
  }
}

const isAtTarget = (pool) =>
  pool.inUseSandboxes === 0 &&
  pool.waitingExecutions === 0 &&
  pool.totalSandboxes === pool.settings.initialSize &&
  pool.freshSandboxes === pool.settings.initialSize;

const describePool = (pool) =>
  `${pool.poolId}: ${pool.totalSandboxes} in all, ${pool.freshSandboxes} fresh of ${pool.settings.initialSize}, ${pool.inUseSandboxes} in use, ${pool.heldSandboxes} held, ${pool.creatingSandboxes} creating, ${pool.resettingSandboxes} resetting, ${pool.waitingExecutions} waiting`;

/** With the daemon at rest. */
export async function checkAtRest(checks, { client, owner, pools, uids, seenContainers, before, berthd }) {
  const sum = (key) => pools.reduce((total, pool) => total + pool[key], 0);
  checks.add('no lease leaked', sum('inUseSandboxes') === 0, `${sum('inUseSandboxes')} in use`);
  checks.add('nobody waits', sum('waitingExecutions') === 0, `${sum('waitingExecutions')} waiting`);
  const off = pools.filter((pool) => !isAtTarget(pool));
  checks.add(
    'pools at their targets',
    off.length === 0,
    off.length === 0 ? `${pools.length} pools` : off.map(describePool).join('; '),
  );
  const counted = [];
  for (const { poolId } of pools) {
    const { pool } = await client.pool.getPool({ poolId });
    counted.push(...pool.sandboxes.map(({ containerId }) => containerId));
  }
  const existing = await containersOf(owner);
  checks.add(
    'containers as counted by GetPool',
    sameSet(counted, existing),
    `${counted.length} counted, ${existing.length} with the owner's label`,
  );
  // Of each sandbox the spare, and nothing else under a uid of an execution.
  const processes = processesUnder(uids);
  checks.add(
    'host processes: one spare a sandbox',
    processes.length === existing.length,
    processes.length === existing.length
      ? `${processes.length}`
      : `${processes.length} for ${existing.length}: ${processes.join('; ')}`,
  );
  const gone = [...seenContainers].filter((id) => !existing.includes(id));
  checks.none(`cgroups of the ${gone.length} containers that went`, cgroupsOf(gone));
  checks.none('their shims', shimsOf(gone));
  const now = lookAt(berthd.pid);
  const more = existing.length - before.sandboxes;
  const most = MOST_DESCRIPTORS_KEPT + DESCRIPTORS_A_SANDBOX * more;
  checks.add(
    `descriptors at rest back (+${MOST_DESCRIPTORS_KEPT} at most, and ${DESCRIPTORS_A_SANDBOX} a sandbox more)`,
    now.descriptors <= before.descriptors + most,
    `${before.descriptors} before, ${now.descriptors} after with ${more} sandboxes more; memory ${before.rssMib.toFixed(0)} → ${now.rssMib.toFixed(0)} MiB`,
  );
}

/** @param {import('./watch/pools.mjs').PoolWatch} watch */
export async function checkPoolEvents(checks, watch, client, pools) {
  const existing = [];
  for (const { poolId } of pools) {
    const { pool } = await client.pool.getPool({ poolId });
    existing.push(...pool.sandboxes.map(({ sandboxId }) => sandboxId));
  }
  const kinds = [...watch.counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  checks.add(
    'WatchPools: what was created and not destroyed is there',
    sameSet([...watch.alive], existing),
    `${watch.alive.size} told, ${existing.length} there; ${kinds}`,
  );
}

/** No record may say that something still runs. */
export async function checkRecords(checks, address, tenants) {
  const open = [];
  for (const tenant of tenants) {
    const client = connect({ address, tenant });
    for (const state of [ExecutionState.QUEUED, ExecutionState.RUNNING]) {
      const { executions } = await client.sandbox.listExecutions({ state });
      open.push(...executions.map(({ executionId }) => executionId));
    }
    client.close();
  }
  checks.none('executions recorded as not ended', open);
}

/** @param {import('./watch/daemon.mjs').DaemonWatch} watch */
export function checkGrowth(checks, watch) {
  const over = `over ${watch.secondHalfSeconds.toFixed(0)} s`;
  const descriptors = watch.growth('descriptors');
  checks.add(
    `descriptors, second half (+${MOST_DESCRIPTORS_GROWTH} at most)`,
    descriptors <= MOST_DESCRIPTORS_GROWTH,
    `${signed(descriptors)} ${over}`,
  );
  const rss = watch.growth('rssMib');
  checks.add(
    `resident memory, second half (+${MOST_RSS_GROWTH_MIB} MiB at most)`,
    rss <= MOST_RSS_GROWTH_MIB,
    `${signed(rss)} MiB ${over}`,
  );
}

/** Docker may refuse to remove a container that is just dying; Berth tries again, and whether it went is checked otherwise. */
const TRIED_AGAIN = 'sandbox_destroy_failed';

/** What the log has of errors: an error is a defect, whatever the clients saw. */
export function checkLog(checks, logFile) {
  const errors = readFileSync(logFile, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        const line = JSON.parse(text);
        if (line.event === TRIED_AGAIN) return [];
        return line.level === 'error' || line.level >= ERROR_LEVEL
          ? [`${line.msg}: ${line.err?.message ?? ''}`]
          : [];
      } catch {
        return text === '' ? [] : [text];
      }
    });
  checks.none('errors in the log, but for removals that are tried again', errors);
}

/** SIGTERM with work in flight: it ends typed, the daemon ends well, and nothing is left. */
export async function checkStop(checks, { client, berthd, owner, uids, seenContainers }) {
  const IN_FLIGHT = 4;
  let begun = 0;
  let allBegun;
  const inFlight = new Promise((resolve) => (allBegun = resolve));
  const running = Array.from({ length: IN_FLIGHT }, () =>
    follow(client, python('import time\nprint("up", flush=True)\ntime.sleep(120)'), {}, ({ event }) => {
      if (event.$case === 'output' && ++begun === IN_FLIGHT) allBegun();
    }),
  );
  await Promise.race([inFlight, Promise.all(running)]);
  const exitCode = await berthd.stop();
  const ends = await Promise.all(running);
  checks.add(
    'SIGTERM: work in flight ends as cancelled by it',
    ends.every(
      ({ ended }) => ended?.reason === EndReason.CANCELLED && ended.cancelCause === CancelCause.SHUTDOWN,
    ),
    ends.map(outcomeOf).join(', '),
  );
  checks.add('SIGTERM: exit code', exitCode === 0, String(exitCode));
  checks.none("SIGTERM: left in Docker with the owner's label", await ownedBy(owner));
  const left = () => [...processesUnder(uids), ...shimsOf(seenContainers), ...cgroupsOf(seenContainers)];
  // containerd's shims end a moment after their containers.
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (left().length > 0 && Date.now() < deadline) await delay(ASK_EVERY_MS);
  checks.none('SIGTERM: host processes, shims and cgroups', left());
}

function sameSet(a, b) {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}

const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
