// gVisor for ISOLATION_GVISOR: runsc from the distribution, and berth-runsc, which runs it in a cgroup that holds the
// limits, as a runtime of Docker. Uses compiled modules, so it comes after the build, and an image with sleep and dmesg.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installPackages } from './apt.mjs';
import { knownRuntimes, setRuntime } from './docker-config.mjs';
import { SetupError, isRoot, root, stateDir, which } from './host.mjs';
import { must, run } from './processes.mjs';

const NAME = 'berth-runsc';
const PROGRAM = '/usr/local/libexec/berth/berth-runsc';
const SOURCE = 'src/engine/docker/sandbox/gvisor/runtime';
/** A platform that a host cannot carry hangs rather than fails. */
const TRIAL_SECONDS = '60';
const TRIAL_LIMITS = { memoryBytes: 256 * 1024 * 1024, cpuMillis: 500, processes: 32 };

/** Present when the runtime was registered here, so that `--down` takes out only that. */
const mark = () => join(stateDir(), 'gvisor-runtime');

/**
 * Makes sure that Docker has gVisor as a runtime that works, with limits that hold: tried with a container each time.
 *
 * @param {string} image any with sleep and dmesg
 * @param {(text: string) => void} note
 * @returns {Promise<string>} what it is, and what had to be done
 * @throws SetupError
 */
export async function ensureGvisor(image, note = () => {}) {
  if (!isRoot()) {
    const known = (await knownRuntimes())[NAME];
    if (known === undefined)
      throw new SetupError(
        'Only root may install gVisor and register it with Docker. Run: sudo npm run quickstart -- --gvisor',
      );
    await tryOut(image, note);
    return describe(await version(), known.runtimeArgs, []);
  }
  const done = [];
  if (which('runsc') === undefined) {
    note('installing runsc');
    await installPackages(['runsc'], 'gVisor', note).catch((error) => {
      throw new SetupError(
        `${error.message}\nA distribution without the package: see gvisor.dev/docs/user_guide/install, put runsc on the PATH, and try again.`,
      );
    });
    done.push('installed');
  }
  note('building berth-runsc');
  await build(note);

  const known = (await knownRuntimes())[NAME];
  if (known?.path === PROGRAM && (await works(image, note)))
    return describe(await version(), known.runtimeArgs, done);
  return describe(await version(), await register(image, note), [...done, 'registered']);
}

/** Takes the runtime out of Docker's configuration when, and only when, it was put there here. Resolves to what was done. */
export async function removeGvisorRegisteredHere() {
  await setRuntime(NAME, undefined);
  rmSync(PROGRAM, { force: true });
  rmSync(mark(), { force: true });
  return 'taken out of the configuration of Docker';
}

export const gvisorRegisteredHere = () => existsSync(mark());

/** Registers it with the first platform that works. Resolves to runsc's flags. */
async function register(image, note) {
  const failures = [];
  for (const platform of await platforms()) {
    // A sandbox has no network. Cgroups are the business of berth-runsc, on every kernel in the same way.
    const runtimeArgs = [`--platform=${platform}`, '--network=none', '--ignore-cgroups'];
    note(`registering it with ${platform}`);
    await setRuntime(NAME, { path: PROGRAM, runtimeArgs });
    writeFileSync(mark(), '');
    try {
      await tryOut(image, note);
      return runtimeArgs;
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failures.push(`${platform}: ${error.message}`);
    }
  }
  await removeGvisorRegisteredHere();
  throw new SetupError(`gVisor does not work on this host.\n${failures.join('\n')}`);
}

/**
 * The platforms to try. systrap is the faster one, and from 2023 on; ptrace works everywhere. Never kvm: it gains on bare
 * metal only, and inside a virtual machine it may hang the host although /dev/kvm is there.
 */
async function platforms() {
  const { stdout, tail } = await run(['runsc', 'flags']);
  return /systrap/.test(stdout + tail) ? ['systrap', 'ptrace'] : ['ptrace'];
}

async function build(note) {
  if (which('go') === undefined) await installPackages(['golang-go'], 'Building berth-runsc', note);
  const go = which('go');
  const fresh = `${PROGRAM}.${process.pid}`;
  mkdirSync(dirname(PROGRAM), { recursive: true });
  await must([go, 'build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', fresh, '.'], {
    cwd: join(root, SOURCE),
    env: { CGO_ENABLED: '0', GOFLAGS: '', PATH: `${dirname(go)}:${process.env.PATH ?? ''}` },
    onLine: note,
  });
  renameSync(fresh, PROGRAM);
}

const works = (image, note) =>
  tryOut(image, note).then(
    () => true,
    (error) => {
      if (error instanceof SetupError) return false;
      throw error;
    },
  );

/** A container in which gVisor's kernel answers, and whose limits the host's kernel holds. */
async function tryOut(image, note) {
  note('trying it out');
  const name = `berth-gvisor-trial-${randomUUID().slice(0, 8)}`;
  const { memoryBytes, cpuMillis, processes } = TRIAL_LIMITS;
  const limits = [
    ...['--memory', String(memoryBytes), '--memory-swap', String(memoryBytes)],
    ...['--cpu-period', '10000', '--cpu-quota', String(cpuMillis * 10), '--pids-limit', String(processes)],
  ];
  const start = [
    'docker',
    'run',
    '--detach',
    '--name',
    name,
    '--runtime',
    NAME,
    '--network',
    'none',
    ...limits,
  ];
  try {
    await must(['timeout', TRIAL_SECONDS, ...start, '--entrypoint', 'sleep', image, '600']);
    const inspected = await must(['docker', 'inspect', '--format', '{{.Id}} {{.State.Pid}}', name]);
    const [id, pid] = inspected.stdout.trim().split(' ');
    const module = join(root, 'dist/src/engine/docker/sandbox/gvisor/held-limits.js');
    const { whyLimitsDoNotHold } = await import(pathToFileURL(module).href);
    const why = whyLimitsDoNotHold(id, Number(pid), TRIAL_LIMITS);
    if (why !== undefined) throw new SetupError(`A container under ${NAME} has no limits: ${why}.`);
    const said = await must(['timeout', TRIAL_SECONDS, 'docker', 'exec', name, 'dmesg']);
    if (!said.stdout.includes('gVisor'))
      throw new SetupError(`A container under ${NAME} does not run in gVisor.`);
  } finally {
    await run(['docker', 'rm', '--force', '--volumes', name]);
  }
}

async function version() {
  const { stdout } = await run(['runsc', '--version']);
  return /version (\S+)/.exec(stdout)?.[1] ?? 'of an unknown version';
}

function describe(versionText, flags, done) {
  const platform = flags?.find((flag) => flag.startsWith('--platform=')) ?? '';
  return [`runsc ${versionText} ${platform}`.trim(), ...done].join(', ');
}
