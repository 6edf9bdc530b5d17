// CPU time so far of everything that an execution passes through.
import { readFileSync, readdirSync } from 'node:fs';
import { threadCpuMs } from '../measure/processes.mjs';

/** Of `/proc/PID/stat`, on every architecture that Node runs on. */
const MS_PER_TICK = 10;

/** Ids of the sandboxes that there are now: what is made or removed later must not count. */
export async function sandboxesOf({ berthd, docker }) {
  const label = [`dev.berth.owner=${berthd.owner}`];
  return (await docker.listContainers({ filters: { label } })).map((container) => container.Id);
}

/**
 * @param {import('../benchmark.mjs').Bench} bench
 * @param {string[]} sandboxes ids
 * @returns {Promise<Record<string, number>>} milliseconds by name. Docker's processes count what they do for others too
 */
export async function cpuOf({ berthd, docker }, sandboxes) {
  const threads = threadCpuMs(berthd.pid);
  const main = threads.get(berthd.pid);
  const inside = await insideSandboxes(docker, sandboxes);
  const own = process.cpuUsage();
  return {
    'client (this process)': (own.user + own.system) / 1000,
    'berthd, main thread': main,
    'berthd, workers and other threads': sum(threads.values()) - main,
    dockerd: cpuOfProgram('dockerd'),
    'containerd-shim of the sandboxes': inside.shim,
    'sandboxes: runner': inside.runner,
    'sandboxes: zygote, forks included': inside.zygote,
    'sandboxes: spares with their programs, and their ends': inside.all - inside.runner - inside.zygote,
  };
}

/** CPU time of all sandboxes, of the two processes in each that stay, and of their shims, as far as this host shows them. */
async function insideSandboxes(docker, sandboxes) {
  const total = { all: 0, runner: 0, zygote: 0, shim: 0 };
  for (const id of sandboxes) {
    const container = docker.getContainer(id);
    const stats = await container.stats({ stream: false, 'one-shot': true });
    total.all += stats.cpu_stats.cpu_usage.total_usage / 1e6;
    const { State } = await container.inspect();
    total.runner += cpuOfProcess(State.Pid);
    total.shim += cpuOfProcess(parentOf(State.Pid));
    for (const child of childrenOf(State.Pid)) if (isOfRoot(child)) total.zygote += cpuOfProcess(child);
  }
  return total;
}

const childrenOf = (pid) =>
  orElse('', () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .split(' ')
    .filter(Boolean);

const parentOf = (pid) =>
  /^PPid:\s+(\d+)/m.exec(orElse('', () => readFileSync(`/proc/${pid}/status`, 'utf8')))?.[1] ?? 0;

/** Spares and programs have a uid of their own. */
const isOfRoot = (pid) => /^Uid:\s+0\s/m.test(orElse('', () => readFileSync(`/proc/${pid}/status`, 'utf8')));

const cpuOfProcess = (pid) => orElse(0, () => sum(threadCpuMs(pid).values()));

/** A process may have ended meanwhile, or be another user's. */
function orElse(fallback, read) {
  try {
    return read();
  } catch {
    return fallback;
  }
}

/** CPU time so far of the children of this process that have ended, in milliseconds, to 10 ms. */
export function cpuOfEndedChildrenMs() {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
}

/** All processes of a name, which the kernel cuts at 15 characters. */
function cpuOfProgram(name) {
  return sum(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => {
        const comm = orElse('', () => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
        return comm === name.slice(0, 15) ? cpuOfProcess(pid) : 0;
      }),
  );
}

const sum = (values) => [...values].reduce((total, value) => total + value, 0);
