// What the sandboxes of one berthd are on the host: processes under its uids, Docker's shims, and cgroups.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';
const DEEPEST = 4;

/** Processes of executions and spares: their uids are this berthd's own. @returns {string[]} for people */
export function processesUnder({ uidFirst, uidCount }) {
  return processIds().flatMap((pid) => {
    try {
      const { uid } = statSync(`/proc/${pid}`);
      const real = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
      const isOurs = [uid, real].some((each) => each >= uidFirst && each < uidFirst + uidCount);
      return isOurs ? [`process ${pid} of uid ${real}: ${commandLine(pid)}`] : [];
    } catch {
      return []; // It has ended.
    }
  });
}

/** Shims of these containers that still run. @param {Iterable<string>} containerIds @returns {string[]} for people */
export function shimsOf(containerIds) {
  const ids = new Set(containerIds);
  return processIds().flatMap((pid) => {
    const line = commandLine(pid);
    const id = /-id ([0-9a-f]{64})/.exec(line)?.[1];
    return id !== undefined && ids.has(id) ? [`process ${pid}: ${line}`] : [];
  });
}

/** Cgroup directories that carry the id of one of these containers, in any hierarchy. @returns {string[]} paths */
export function cgroupsOf(containerIds) {
  const ids = new Set(containerIds);
  const found = [];
  const look = (directory, depth) => {
    let entries = [];
    try {
      entries = readdirSync(directory, { withFileTypes: true });
    } catch {
      return; // It went meanwhile.
    }
    for (const entry of entries) {
      // A link is a second name of a hierarchy that is looked at anyway.
      if (!entry.isDirectory()) continue;
      const path = join(directory, entry.name);
      const id = /[0-9a-f]{64}/.exec(entry.name)?.[0];
      if (id !== undefined && ids.has(id)) found.push(path);
      else if (depth < DEEPEST) look(path, depth + 1);
    }
  };
  look(CGROUPS, 0);
  return found;
}

const processIds = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 200);
  } catch {
    return 'ended';
  }
}
