// The runtimes in Docker's configuration file, and a reload that makes Docker read it. Nothing is restarted: containers
// that run are not touched.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from './host.mjs';
import { must } from './processes.mjs';

const PID_FILE = '/var/run/docker.pid';
const DEFAULT_FILE = '/etc/docker/daemon.json';
const RELOADED_WITHIN_MS = 10_000;

/**
 * @typedef {{path: string, runtimeArgs?: string[]}} Runtime as daemon.json has it
 */

/**
 * The file's text with a runtime in it, or without; everything else stays.
 *
 * @param {string} text of daemon.json; empty where there is none
 * @param {string} name
 * @param {Runtime | undefined} runtime undefined takes it out
 * @returns {string}
 */
export function withRuntime(text, name, runtime) {
  const config = parse(text);
  const { [name]: _, ...others } = config.runtimes ?? {};
  return format({ ...config, runtimes: runtime === undefined ? others : { ...others, [name]: runtime } });
}

/** The text without what says nothing; empty when nothing is left. */
export function withoutEmptyRuntimes(text) {
  const { runtimes, ...config } = parse(text);
  if (Object.keys(runtimes ?? {}).length > 0) config.runtimes = runtimes;
  return Object.keys(config).length === 0 ? '' : format(config);
}

const parse = (text) => (text.trim() === '' ? {} : JSON.parse(text));
const format = (config) => `${JSON.stringify(config, null, 2)}\n`;

/**
 * Registers a runtime, or takes it out, and waits until Docker has taken note. When Docker does not, the file is as before.
 *
 * @param {string} name
 * @param {Runtime | undefined} runtime
 * @throws SetupError
 */
export async function setRuntime(name, runtime) {
  const { pid, argv } = runningDaemon();
  if (argv.some((argument) => argument.startsWith('--add-runtime'))) {
    throw new SetupError(
      `dockerd was started with --add-runtime, beside which it takes no runtimes from a file. Add --add-runtime ${name}=${runtime?.path ?? 'PATH'} there.`,
    );
  }
  const file = configFile(argv);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  let after;
  try {
    after = withRuntime(before, name, runtime);
  } catch (error) {
    throw new SetupError(`${file} is not JSON (${error.message}). Mend it, and try again.`);
  }
  write(file, after);
  try {
    process.kill(pid, 'SIGHUP');
    await untilKnown(name, runtime);
    // Only now: a file that does not speak of runtimes leaves Docker with those that it has.
    write(file, withoutEmptyRuntimes(after));
  } catch (error) {
    write(file, before);
    process.kill(pid, 'SIGHUP');
    throw error;
  }
}

/** Runtimes that Docker has. @returns {Promise<Record<string, Runtime>>} */
export async function knownRuntimes() {
  const { stdout } = await must(['docker', 'info', '--format', '{{json .Runtimes}}']);
  return JSON.parse(stdout);
}

async function untilKnown(name, runtime) {
  const deadline = Date.now() + RELOADED_WITHIN_MS;
  for (;;) {
    const known = (await knownRuntimes())[name];
    if (runtime === undefined ? known === undefined : isSame(known, runtime)) return;
    if (Date.now() > deadline) {
      throw new SetupError(
        `Docker was asked to reload its configuration and did not take the runtime ${name}. Its log says why: journalctl -u docker.service, or where dockerd writes to.`,
      );
    }
    await delay(50);
  }
}

const isSame = (known, runtime) =>
  known?.path === runtime.path && String(known.runtimeArgs ?? []) === String(runtime.runtimeArgs ?? []);

function runningDaemon() {
  try {
    const pid = Number(readFileSync(PID_FILE, 'utf8'));
    return { pid, argv: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') };
  } catch {
    throw new SetupError(
      `The dockerd to configure is not found (${PID_FILE} names none that runs on this host), so its runtimes stay as they are. Start Docker there, and try again.`,
    );
  }
}

function configFile(argv) {
  const at = argv.findIndex((argument) => argument.startsWith('--config-file'));
  if (at === -1) return DEFAULT_FILE;
  return argv[at].includes('=') ? argv[at].slice(argv[at].indexOf('=') + 1) : argv[at + 1];
}

/** Whole or not at all: Docker does not start with half a file. */
function write(file, text) {
  if (text === '') {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.berth`, text, { mode: 0o644 });
  renameSync(`${file}.berth`, file);
}
