// What a test run must not leave behind. Taken before and after; any difference is a failure that names it.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { run } from '../../src/cli/setup/processes.mjs';

/** Every process started by this run has this variable, also after it was re-parented. */
export const RUN_VARIABLE = 'BERTH_TEST_RUN';

const DOCKER_LISTS = {
  container: ['ps', '--all', '--no-trunc', '--format', '{{.ID}}\t{{.Names}} ({{.Image}}, {{.Status}})'],
  network: ['network', 'ls', '--no-trunc', '--format', '{{.ID}}\t{{.Name}}'],
  volume: ['volume', 'ls', '--format', '{{.Name}}\t{{.Name}}'],
};

/**
 * @param {string} runId value of RUN_VARIABLE in the processes of this run
 * @returns {Promise<Map<string, string>>} text for people by identity
 */
export async function snapshot(runId) {
  const all = new Map();
  for (const [kind, args] of Object.entries(DOCKER_LISTS)) {
    const { code, stdout } = await run(['docker', ...args]);
    // Without Docker there is nothing of it to leak.
    for (const line of code === 0 ? stdout.split('\n').filter(Boolean) : []) {
      const [id, text] = line.split('\t');
      all.set(`${kind} ${id}`, `${kind} ${text}`);
    }
  }
  for (const [port, inode] of listeningSockets())
    all.set(`port ${port}`, `listening port ${port}${ownerOf(inode)}`);
  for (const pid of processesOf(runId)) all.set(`process ${pid}`, `process ${pid}: ${commandLine(pid)}`);
  return all;
}

/** @returns {string[]} what is there now and was not, and what was there and is not */
export function differences(before, after) {
  return [
    ...[...after].filter(([id]) => !before.has(id)).map(([, text]) => `left behind: ${text}`),
    ...[...before].filter(([id]) => !after.has(id)).map(([, text]) => `gone: ${text}`),
  ];
}

function listeningSockets() {
  const LISTEN = '0A';
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN)
      .map((fields) => [parseInt(fields[1].split(':')[1], 16), fields[9]]),
  );
}

/** Who holds a socket, where this user may see it. */
function ownerOf(inode) {
  for (const pid of processIds()) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`)
          return ` of process ${pid}: ${commandLine(pid)}`;
      }
    } catch {
      // It has ended, or is somebody else's.
    }
  }
  return '';
}

/** Ids of the processes that this run has started, and that run still. */
export function processesOf(runId) {
  return processIds().filter((pid) => {
    if (Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${RUN_VARIABLE}=${runId}`);
    } catch {
      return false;
    }
  });
}

const processIds = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 120);
  } catch {
    return 'ended';
  }
}
