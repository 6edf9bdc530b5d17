// The soak proper: a berthd of its own under load, then at rest, then stopped; the tables, and what was wrong.
import { randomUUID } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import Docker from 'dockerode';
import { SetupError } from '../../src/cli/setup/host.mjs';
import { say, step } from '../../src/cli/setup/progress.mjs';
import { connect, Isolation } from '../../dist/clients/typescript/src/index.js';
import { startBerthd } from '../bench/berthd.mjs';
import { removeLabelled } from '../bench/leftovers.mjs';
import { detectFeatures } from './features.mjs';
import {
  Checks,
  checkAtRest,
  checkGrowth,
  checkLog,
  checkPoolEvents,
  checkRecords,
  checkStop,
  settledPools,
} from './invariants.mjs';
import { actionsFor, putUnderLoad, TENANTS } from './load.mjs';
import { Random } from './random.mjs';
import { printActions, printChecks, printPools } from './report.mjs';
import { Tally } from './tally.mjs';
import { Vandal } from './vandal.mjs';
import { watchContainers } from './watch/containers.mjs';
import { DaemonWatch, lookAt } from './watch/daemon.mjs';
import { PoolWatch } from './watch/pools.mjs';

/** Uids of its own, so that a process on the host can be told to be of this berthd. */
const UIDS = { uidFirst: 700_000, uidCount: 40_000 };
const SETTINGS = {
  BERTH_SANDBOX_UID_FIRST: String(UIDS.uidFirst),
  BERTH_SANDBOX_UID_COUNT: String(UIDS.uidCount),
  // Short, so that used sandboxes are held, taken away and let go many times within a soak, and pools come to rest after it.
  BERTH_POOL_KEEP_FOR_TENANT_MS: '4000',
  // Short, so that what is kept of ended executions has reached its level before the second half of a one-minute soak.
  BERTH_SANDBOX_RETAIN_MS: '10000',
  BERTH_SHUTDOWN_GRACE_MS: '1000',
};

/**
 * @param {import('./arguments.mjs').Options & {signal: AbortSignal}} options
 * @throws SetupError when an answer or an invariant was wrong; the message says what, and the seed
 */
export async function runSoak({ minutes, seed, logFile, signal }) {
  const owner = `berth-soak-${randomUUID().slice(0, 8)}`;
  const random = new Random(seed);
  const tally = new Tally();
  const checks = new Checks();
  let berthd;
  let client;
  let containers;
  let pools = [];
  say(`soak: ${minutes} min of ten clients, seed ${seed}`);
  try {
    await step('start berthd', async () => {
      containers = await watchContainers(new Docker(), owner);
      berthd = await startBerthd(owner, signal, SETTINGS);
      return `pid ${berthd.pid}, its pool is warm`;
    });
    client = connect({ address: berthd.grpcAddress });
    const { features, missing } = await detectFeatures(client);
    const poolsBefore = await withSandboxes(client, await settledPools(client, signal));
    const sandboxes = poolsBefore.reduce((sum, { totalSandboxes }) => sum + totalSandboxes, 0);
    const before = { ...lookAt(berthd.pid), sandboxes };

    const vandal = new Vandal({ owner, random: random.fork(), client, features });
    const watch = new DaemonWatch(berthd.pid);
    const poolWatch = features.watchPools
      ? new PoolWatch(client, poolsBefore, (what) => tally.fail(what))
      : undefined;
    await step('load', async (note) => {
      const deadlineMs = performance.now() + minutes * 60_000;
      const over = new AbortController();
      const raging = vandal
        .rage(AbortSignal.any([over.signal, signal]))
        .catch((error) => tally.fail(`the vandal: ${error.stack}`));
      const noting = setInterval(() => note(`${tally.runs} done, ${tally.failureCount} wrong`), 1_000);
      try {
        const { grpcAddress: address } = berthd;
        await putUnderLoad({ address, random, features, vandal, deadlineMs, signal, tally });
      } finally {
        clearInterval(noting);
        watch.stop();
        over.abort();
        await raging;
      }
      signal.throwIfAborted();
      return `${tally.runs} actions, ${tally.failureCount} wrong`;
    });
    await step('come to rest', async () => {
      pools = await settledPools(client, signal);
      const seenContainers = containers.ids;
      await checkAtRest(checks, { client, owner, pools, uids: UIDS, seenContainers, before, berthd });
      checkGrowth(checks, watch);
      if (poolWatch !== undefined) await checkPoolEvents(checks, poolWatch, client, pools);
      await poolWatch?.stop();
      if (features.listExecutions) await checkRecords(checks, berthd.grpcAddress, TENANTS);
    });
    await step('stop with work in flight', async () => {
      await checkStop(checks, { client, berthd, owner, uids: UIDS, seenContainers: containers.ids });
      checkLog(checks, berthd.logFile);
    });
    checks.add(
      'the vandal was at work',
      Object.keys(vandal.counts()).length > 0,
      describeHits(vandal, tally),
    );
    printActions(tally);
    printPools(pools, describePool);
    printChecks(checks);
    const { leftOut } = actionsFor(features);
    for (const text of missing) say(`not in this berthd: ${text}`);
    if (leftOut.length > 0) say(`left out therefore: ${leftOut.join(', ')}`);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // Which may be why: a berthd that is gone answers nobody.
    for (const failure of tally.failures) say(`wrong before: ${failure}`);
    throw error;
  } finally {
    client?.close();
    containers?.close();
    await step('take everything down', async () => {
      await berthd?.stop();
      if (berthd !== undefined && logFile !== undefined) copyFileSync(berthd.logFile, logFile);
      await berthd?.dispose();
      await removeLabelled(owner);
    });
  }
  failOn(tally, checks, seed);
}

async function withSandboxes(client, pools) {
  const answers = await Promise.all(pools.map(({ poolId }) => client.pool.getPool({ poolId })));
  return answers.map(({ pool }) => pool);
}

function failOn(tally, checks, seed) {
  const wrong = [
    ...tally.failures,
    ...(tally.failureCount > tally.failures.length
      ? [`and ${tally.failureCount - tally.failures.length} more`]
      : []),
    ...checks.failed.map(({ name, seen }) => `invariant '${name}': ${seen}`),
  ];
  if (wrong.length === 0) return;
  throw new SetupError(
    `What was wrong, with --seed ${seed}:\n${wrong.map((text) => `  - ${text}`).join('\n')}`,
  );
}

function describeHits(vandal, tally) {
  const counts = Object.entries(vandal.counts()).map(([how, count]) => `${count} ${how}`);
  return `${counts.join(', ') || 'no sandbox hit'}; ${tally.lost} executions lost by it`;
}

function describePool({ poolId, spec }) {
  const { memoryBytes, maxProcesses } = spec.limits;
  return `${poolId} ${Isolation[spec.isolation].toLowerCase()}, ${memoryBytes / 1024 / 1024} MiB, ${maxProcesses} processes`;
}
