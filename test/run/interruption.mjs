// A signal for `npm test` alone (from a CI system, or `kill`) must not leave behind what it has started.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../src/cli/setup/progress.mjs';
import { processesOf } from './leaks.mjs';

/** vitest takes SIGINT to mean that the tests under way are to end and to clean up. Its workers would die of it. */
const TO_CHILDREN = { signal: 'SIGINT', graceMs: 10_000 };
/** What is left then, one after the other. berthd takes SIGTERM to mean that its pools are to go. */
const TO_ALL = [
  { signal: 'SIGTERM', graceMs: 10_000 },
  { signal: 'SIGKILL', graceMs: 5_000 },
];
const LOOK_MS = 100;
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * From now on a signal ends the processes of the run, and then this one; a second one at once. Where it came from a terminal,
 * they have got it too.
 *
 * @param {string} runId value of RUN_VARIABLE in the processes of this run
 * @returns {() => Promise<void>} to be awaited before anything begins: once a signal has come, it does not resolve
 */
export function endOnSignal(runId) {
  let isEnding = false;
  // Whoever reads this may end first.
  process.stdout.on('error', () => {});
  for (const signal of Object.keys(CODES)) {
    process.on(signal, async () => {
      if (isEnding) {
        for (const pid of processesOf(runId)) send(pid, 'SIGKILL');
        process.exit(CODES[signal]);
      }
      isEnding = true;
      say(`\n${signal}: ending the tests`);
      await endProcesses(runId, signal === 'SIGINT' && process.stdin.isTTY);
      process.exit(CODES[signal]);
    });
  }
  return async () => {
    if (isEnding) await new Promise(() => {});
  };
}

/** @param {boolean} wereTold the terminal has told the children */
async function endProcesses(runId, wereTold) {
  if (!wereTold) for (const pid of children()) send(pid, TO_CHILDREN.signal);
  await ended(runId, TO_CHILDREN.graceMs);
  for (const { signal, graceMs } of TO_ALL) {
    for (const pid of processesOf(runId)) send(pid, signal);
    await ended(runId, graceMs);
  }
}

async function ended(runId, graceMs) {
  const deadline = Date.now() + graceMs;
  while (processesOf(runId).length > 0 && Date.now() < deadline) await delay(LOOK_MS);
}

function children() {
  const path = `/proc/${process.pid}/task/${process.pid}/children`;
  return readFileSync(path, 'utf8').split(' ').filter(Boolean);
}

function send(pid, signal) {
  try {
    process.kill(Number(pid), signal);
  } catch {
    // It has ended.
  }
}
