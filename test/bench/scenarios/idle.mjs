// What a berthd with a warm pool takes while nobody asks for anything.
import { setTimeout as delay } from 'node:timers/promises';
import { quietPool } from '../measure/pool.mjs';
import { cpuMs, residentBytes } from '../measure/processes.mjs';
import { Samples } from '../measure/samples.mjs';
import { figure } from '../report/finding.mjs';

const MIB = 1024 * 1024;
/** Time for what the start left to do. */
const SETTLE_MS = 2_000;
const WATCH_MS = 10_000;

/** @param {import('../benchmark.mjs').Bench} bench */
export async function measureIdle({ berthd, client, docker, signal, note }) {
  const pool = await quietPool(client, signal);
  note('letting it settle');
  await delay(SETTLE_MS, undefined, { signal });
  note(`watching it for ${WATCH_MS / 1000} s`);
  const startedMs = performance.now();
  const cpuBeforeMs = cpuMs(berthd.pid);
  await delay(WATCH_MS, undefined, { signal });
  const cpuPercent = (100 * (cpuMs(berthd.pid) - cpuBeforeMs)) / (performance.now() - startedMs);
  const memory = await sandboxMemory(docker, berthd.owner);
  const count = pool.totalSandboxes;
  return [
    figure(
      'idle.daemon_rss_mib',
      residentBytes(berthd.pid) / MIB,
      'MiB',
      `resident memory of berthd, idle with a pool of ${count}`,
    ),
    figure(
      'idle.cpu_percent',
      cpuPercent,
      '%',
      `of one CPU that it takes meanwhile, over ${WATCH_MS / 1000} s`,
    ),
    figure(
      'memory.per_sandbox_mib',
      memory.p50 / MIB,
      'MiB',
      `memory of a warm sandbox's container, median of ${memory.count}`,
    ),
  ];
}

async function sandboxMemory(docker, owner) {
  const containers = await docker.listContainers({ filters: { label: [`dev.berth.owner=${owner}`] } });
  const samples = new Samples();
  for (const { Id: id } of containers) {
    const stats = await docker.getContainer(id).stats({ stream: false, 'one-shot': true });
    samples.add(stats.memory_stats.usage);
  }
  return samples;
}
