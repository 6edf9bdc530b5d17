// crun, under which a sandbox costs less CPU to create than under Docker's own runc: from the distribution, and registered
// as a runtime of Docker. It makes things faster and nothing possible: where it cannot be had, sandboxes run under runc.
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from './apt.mjs';
import { mountLeftControllers } from './cgroup-hierarchies.mjs';
import { knownRuntimes, setRuntime } from './docker-config.mjs';
import { SetupError, canInstall, isRoot, stateDir, which } from './host.mjs';
import { must, run } from './processes.mjs';

const NAME = 'crun';
const TRIAL_SECONDS = '60';
/** Of each kind that a sandbox has. */
const TRIAL_LIMITS = [
  ...['--memory', '64m', '--memory-swap', '64m', '--pids-limit', '32'],
  ...['--cpu-period', '10000', '--cpu-quota', '5000', '--network', 'none', '--read-only'],
];

/** Present when the runtime was registered here, so that `--down` takes out only that. */
const mark = () => join(stateDir(), 'crun-runtime');

export const crunRegisteredHere = () => existsSync(mark());

/**
 * Makes sure, as far as that can be done, that Docker has crun as a runtime that works: tried with a container each time.
 *
 * @param {string} image any with `true`
 * @param {(text: string) => void} note
 * @returns {Promise<string>} what it is and what had to be done, or why sandboxes do without
 */
export async function ensureCrun(image, note = () => {}) {
  try {
    return isRoot() ? await ensureAsRoot(image, note) : await lookOnly(image, note);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `left out, sandboxes run under Docker's default: ${oneLine(error.message)}`;
  }
}

/** Takes the runtime out of Docker's configuration when, and only when, it was put there here. Resolves to what was done. */
export async function removeCrunRegisteredHere() {
  await setRuntime(NAME, undefined);
  rmSync(mark(), { force: true });
  return 'taken out of the configuration of Docker';
}

async function lookOnly(image, note) {
  if ((await knownRuntimes())[NAME] === undefined)
    throw new SetupError('only root may install crun and register it with Docker');
  await tryOut(image, note);
  return version();
}

async function ensureAsRoot(image, note) {
  const done = [];
  if (which('crun') === undefined && canInstall()) {
    note('installing crun');
    await installPackages(['crun'], 'A faster start of sandboxes', note);
    done.push('installed');
  }
  const path = which('crun');
  if (path === undefined) throw new SetupError('crun is not installed');
  const mounted = await mountLeftControllers();
  if (mounted.length > 0) done.push(`mounted the control groups ${mounted.join(', ')}`);

  if ((await knownRuntimes())[NAME] === undefined) {
    note('registering it');
    await setRuntime(NAME, { path });
    writeFileSync(mark(), '');
    done.push('registered');
  }
  try {
    await tryOut(image, note);
  } catch (error) {
    if (crunRegisteredHere()) await removeCrunRegisteredHere();
    throw error;
  }
  return [await version(), ...done].join(', ');
}

async function tryOut(image, note) {
  note('trying it out');
  const name = `berth-crun-trial-${randomUUID().slice(0, 8)}`;
  const start = ['docker', 'run', '--pull', 'never', '--name', name, '--runtime', NAME, ...TRIAL_LIMITS];
  try {
    await must(['timeout', TRIAL_SECONDS, ...start, '--entrypoint', 'true', image]);
  } finally {
    await run(['docker', 'rm', '--force', '--volumes', name]);
  }
}

async function version() {
  const { stdout } = await run([which('crun') ?? 'crun', '--version']);
  return /crun version (\S+)/.exec(stdout)?.[1] ?? 'of an unknown version';
}

/** It stands behind the title of a step. */
const oneLine = (text) => text.trim().replace(/\s*\n\s*/g, ' ');
