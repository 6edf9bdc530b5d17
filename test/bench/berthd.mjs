// A berthd of a benchmark's or soak's own: free ports, state directory and owner label of its own; limits, pool sizes and
// log level are the defaults unless they are given.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../dist/clients/typescript/src/index.js';
import { SetupError, root } from '../../src/cli/setup/host.mjs';

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 60_000;
/** Beside the default ranges, so that a berthd in use on this host is not in the way. */
const OWN_RANGES = {
  BERTH_ENV_PORT_FIRST: '17800',
  BERTH_ENV_PORT_LAST: '17999',
  BERTH_ENV_SUBNETS: '10.213.192.0/20',
  BERTH_ENV_SHARED_DATABASE_SUBNETS: '10.213.208.0/20',
};

/**
 * @typedef {object} Berthd
 * @property {number} pid
 * @property {string} owner label value of everything it makes
 * @property {string} grpcAddress
 * @property {string} appsPath its folder of apps, to put some in
 * @property {string} logFile
 * @property {string} runtime the Docker runtime of its sandboxes
 * @property {() => Promise<number | null>} stop SIGTERM, and SIGKILL after a minute; resolves to the exit code
 * @property {() => Promise<void>} dispose stops it and removes its state
 */

/**
 * Resolves when its pool is warm.
 *
 * @param {string} owner
 * @param {AbortSignal} signal
 * @param {Record<string, string>} [changed] variables that differ from the defaults
 * @returns {Promise<Berthd>}
 */
export async function startBerthd(owner, signal, changed = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const appsPath = join(stateDir, 'apps');
  mkdirSync(appsPath);
  const logFile = join(stateDir, 'berthd.log');
  const log = openSync(logFile, 'a');
  // A process group of its own: Ctrl-C is for the benchmark, which then stops it in order.
  const child = spawn(process.execPath, [join(root, 'dist/src/main.js')], {
    env: { ...withoutSettings(process.env), ...settings(owner, stateDir, appsPath), ...changed },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const exited = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await exited;
      clearTimeout(timer);
    }
    return child.exitCode;
  };
  const dispose = async () => {
    await stop();
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const grpcAddress = await readyAddress(child, logFile, signal);
    await warmPool(grpcAddress, logFile, signal);
    const runtime = sandboxRuntime(logFile);
    return { pid: child.pid, owner, grpcAddress, appsPath, logFile, runtime, stop, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Puts a copy of a sample app into a daemon's folder of apps, its metadata changed. */
export function addApp(berthd, appId, source, changeMetadata) {
  const target = join(berthd.appsPath, appId);
  cpSync(source, target, { recursive: true });
  const file = join(target, 'metadata.json');
  writeFileSync(file, JSON.stringify(changeMetadata(JSON.parse(readFileSync(file, 'utf8')))));
}

/** The defaults are measured, whatever is set in this shell. */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('BERTH_')));
}

function settings(owner, stateDir, appsPath) {
  return {
    ...OWN_RANGES,
    BERTH_STATE_DIR: stateDir,
    BERTH_ENV_APPS_PATH: appsPath,
    BERTH_OWNER: owner,
    BERTH_GRPC_ADDRESS: '127.0.0.1:0',
    BERTH_HTTP_ADDRESS: '127.0.0.1:0',
  };
}

/** Its log tells the address that port 0 became. */
async function readyAddress(child, logFile, signal) {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    signal.throwIfAborted();
    const line = readFileSync(logFile, 'utf8')
      .split('\n')
      .find((text) => text.includes('"berthd_ready"'));
    if (line !== undefined) return JSON.parse(line).grpc;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline)
      throw new SetupError(`berthd did not become ready; the end of its log:\n${tail(logFile)}`);
    await delay(20);
  }
}

/** What the last choice in its log was. */
function sandboxRuntime(logFile) {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  const line = lines.findLast((text) => text.includes('"event":"sandbox_runtime"'));
  const refused = lines.some((text) => text.includes('"event":"sandbox_runtime_refused"'));
  return line === undefined || refused ? "Docker's default" : JSON.parse(line).runtime;
}

async function warmPool(address, logFile, signal) {
  const client = connect({ address });
  const deadline = Date.now() + READY_WITHIN_MS;
  try {
    for (;;) {
      signal.throwIfAborted();
      const pool = await client.pool.getPool({}, { timeoutMs: 5_000 }).then(
        (answer) => answer.pool,
        () => undefined, // There is none until Docker has answered.
      );
      if (pool !== undefined && pool.freshSandboxes >= (pool.settings?.initialSize ?? 1)) return;
      if (Date.now() > deadline)
        throw new SetupError(`berthd's pool did not become warm; the end of its log:\n${tail(logFile)}`);
      await delay(50);
    }
  } finally {
    client.close();
  }
}

function tail(logFile) {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}
