import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { containersOf } from '../support/docker-cli.js';
import type { Engine } from './engines.js';

const LOOK_EVERY_MS = 25;
const LOOKS_ALIKE = 8;
const BACK_WITHIN_MS = 20_000;
/** The daemon's heap breathes; what a flood would leave in it is more. */
const RSS_SLACK_BYTES = 96 * 1024 * 1024;
/** Kept-alive connections to Docker come and go. */
const DESCRIPTOR_SLACK = 6;

/** What an engine holds on the host. */
export interface HostState {
  rssBytes: number;
  descriptors: number;
  containers: number;
  /** Processes under the uids of executions; with gVisor, which has none on the host, nothing. */
  guests: number;
  /** Processes below berthd itself: those of the local engine. */
  descendants: number;
  /** Cgroups of the local engine's sandboxes, in all hierarchies. */
  cgroups: number;
}

export async function hostState({ daemon, uids }: Engine): Promise<HostState> {
  const pid = daemon.process.pid!;
  const processes = listProcesses();
  return {
    rssBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    containers: (await containersOf(daemon.owner)).length,
    guests: processes.filter(({ uid }) => uid >= uids.first && uid < uids.first + uids.count).length,
    descendants: descendantsOf(pid, processes),
    cgroups: countCgroups(daemon.owner),
  };
}

/** What an engine holds when nothing happens: waits until it stays the same, apart from memory and descriptors. */
export async function steadyHostState(engine: Engine): Promise<HostState> {
  let last = await hostState(engine);
  for (let same = 0; same < LOOKS_ALIKE;) {
    await delay(LOOK_EVERY_MS);
    const now = await hostState(engine);
    const isSame = (['containers', 'guests', 'descendants', 'cgroups'] as const).every(
      (key) => now[key] === last[key],
    );
    same = isSame ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Waits until nothing is more than it was; answers what is, when that does not come. */
export async function backAt(baseline: HostState, engine: Engine): Promise<string[]> {
  const deadline = Date.now() + BACK_WITHIN_MS;
  for (;;) {
    const excess = beyond(baseline, await hostState(engine));
    if (excess.length === 0 || Date.now() > deadline) return excess;
    await delay(LOOK_EVERY_MS);
  }
}

function beyond(baseline: HostState, now: HostState): string[] {
  const slack: HostState = {
    rssBytes: RSS_SLACK_BYTES,
    descriptors: DESCRIPTOR_SLACK,
    containers: 0,
    guests: 0,
    descendants: 0,
    cgroups: 0,
  };
  return (Object.keys(baseline) as (keyof HostState)[])
    .filter((key) => now[key] > baseline[key] + slack[key])
    .map((key) => `host: ${key} ${now[key]} instead of ${baseline[key]}`);
}

interface HostProcess {
  pid: number;
  parent: number;
  uid: number;
}

function listProcesses(): HostProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const field = (key: string): number =>
          Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
        return [{ pid: Number(name), parent: field('PPid'), uid: field('Uid') }];
      } catch {
        return []; // it has ended
      }
    });
}

function descendantsOf(pid: number, processes: HostProcess[]): number {
  const children = processes.filter(({ parent }) => parent === pid);
  return children.reduce((sum, child) => sum + 1 + descendantsOf(child.pid, processes), 0);
}

/** Directories below a daemon's own, in the one hierarchy of v2 or in each of v1. */
function countCgroups(owner: string): number {
  const root = '/sys/fs/cgroup';
  return ['', ...readdirSync(root)]
    .map((hierarchy) => join(root, hierarchy, 'berth', owner))
    .flatMap((directory) => {
      try {
        return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
      } catch {
        return []; // no hierarchy, or none of the local engine's in it
      }
    }).length;
}
