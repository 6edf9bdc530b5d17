import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConnectionCount } from '../../../domain/env/engine.js';

const ESTABLISHED = '01';
const LISTEN = '0A';

/**
 * Reads from the host's /proc how many connections a container has accepted, and how many from outside it are open. The
 * kernel keeps these figures for each network namespace, and so does it for a container that is none of Berth's: the
 * cgroup of the process must carry the container's id, so that a pid of another host is never taken for it.
 * @param pid of the container's first process, on the daemon's host
 * @returns undefined where that cannot be read
 */
export async function readConnections(
  containerId: string,
  pid: number,
  proc = '/proc',
): Promise<ConnectionCount | undefined> {
  const of = (file: string): Promise<string> => readFile(path.join(proc, String(pid), file), 'utf8');
  try {
    const [cgroup, stat, snmp, tcp, tcp6] = await Promise.all([
      of('cgroup'),
      of('stat'),
      of('net/snmp'),
      of('net/tcp'),
      // Absent where the kernel has no IPv6.
      of('net/tcp6').catch(() => ''),
    ]);
    if (!cgroup.includes(containerId)) return undefined;
    const accepted = passiveOpens(snmp);
    if (accepted === undefined) return undefined;
    return { life: `${pid}/${startTime(stat)}`, accepted, open: openFromOutside(`${tcp}\n${tcp6}`) };
  } catch {
    // It ended, or Docker is on another host.
    return undefined;
  }
}

/** `Tcp: … PassiveOpens …` and below it the figures. */
export function passiveOpens(snmp: string): number | undefined {
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Tcp:'));
  const index = names?.split(' ').indexOf('PassiveOpens') ?? -1;
  const value = Number(values?.split(' ')[index]);
  return index >= 0 && Number.isFinite(value) ? value : undefined;
}

/**
 * Established connections to a port that something listens on. Left out are those of the container with itself: both ends
 * have one address then, or the loopback's.
 */
export function openFromOutside(table: string): number {
  const sockets = table.split('\n').flatMap((line) => {
    const [, local, remote, state] = line.trim().split(/\s+/);
    return local?.includes(':') && remote?.includes(':') ? [{ local, remote, state }] : [];
  });
  const listening = new Set(
    sockets.filter(({ state }) => state === LISTEN).map(({ local }) => portOf(local)),
  );
  return sockets.filter(
    ({ local, remote, state }) =>
      state === ESTABLISHED && listening.has(portOf(local)) && addressOf(local) !== addressOf(remote),
  ).length;
}

function portOf(end: string): string {
  return end.slice(end.lastIndexOf(':') + 1);
}

function addressOf(end: string): string {
  return end.slice(0, end.lastIndexOf(':'));
}

/** Field 22 of `/proc/PID/stat`, behind the name in brackets: tells a pid that is used again. */
function startTime(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
