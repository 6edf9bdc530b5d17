// `npm run quickstart`: from a fresh clone to running code and a deployed app. `-- --gvisor` also sets up gVisor, `-- --down`
// takes everything down again.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies } from './checkout.mjs';
import { crunRegisteredHere, ensureCrun, removeCrunRegisteredHere } from './crun.mjs';
import { daemonLog, daemonRuns, ensureDaemon, grpcAddress, httpAddress, stopDaemon } from './daemon.mjs';
import { dockerStartedHere, ensureDocker, stopDockerStartedHere } from './docker-engine.mjs';
import { ensureGvisor, gvisorRegisteredHere, removeGvisorRegisteredHere } from './gvisor.mjs';
import { SetupError, requireHost, root, stateDir } from './host.mjs';
import { describeImages, ensureImages } from './images.mjs';
import { must, run } from './processes.mjs';
import { say, seconds, step } from './progress.mjs';
import { removeOwned } from './remove-owned.mjs';

const berth = [process.execPath, join(root, 'dist/src/cli/main.js')];
const IMAGES = ['berth/sandbox-python:3.11', 'node:20-slim'];
const SAMPLE_APP = 'templates/apps/hello-node';
const FIRST_EXECUTION = `import platform, sys
print(f"Hello from Python {platform.python_version()} in a sandbox")
print("no network, no privileges, gone after this run", file=sys.stderr)
`;

async function up() {
  await step('dependencies', ensureDependencies);
  await step('build', ensureBuild);
  await step('Docker Engine', ensureDocker);
  await step('images', async (note) => describeImages(await ensureImages(IMAGES, note)));
  await step('crun', (note) => ensureCrun(IMAGES[0], note));
  if (process.argv.includes('--gvisor')) await step('gVisor', (note) => ensureGvisor(IMAGES[0], note));
  await step('berthd', ensureDaemon);

  say();
  const program = join(stateDir(), 'first-execution.py');
  writeFileSync(program, FIRST_EXECUTION);
  await command(['run', program], 'the first execution');
  say();
  // So that a client without files can deploy it by its id.
  await command(['apps', 'upload', SAMPLE_APP, '--replace'], 'the upload of the sample app');
  say();
  await command(['deploy', SAMPLE_APP], 'the sample app');
  say();
  await command(['ps'], 'the list of envs');

  say(`
berthd serves gRPC on ${grpcAddress()} and health on http://${httpAddress()}/healthz; its log is ${daemonLog()}.
How to go on:
  npx berth run FILE.py           run code in a sandbox
  npx berth deploy DIR            deploy an app (a folder with metadata.json; ${SAMPLE_APP} is one)
  npx berth ps                    what runs
  grpcurl -plaintext ${grpcAddress()} list
  npm run quickstart -- --down    take everything down again`);
}

async function down() {
  if (daemonRuns()) {
    // Through the API, so that berthd's records agree with what is there. Where that fails, labels find what is
    // left, and berthd's next start takes note.
    await removeEnvs().catch((error) => say(error.message));
    await step('berthd', async () => ((await stopDaemon()) ? 'stopped' : 'had ended'));
  }
  await step('containers, networks and volumes left', removeOwned);
  if (crunRegisteredHere()) await step('crun', removeCrunRegisteredHere);
  if (gvisorRegisteredHere()) await step('gVisor', removeGvisorRegisteredHere);
  if (dockerStartedHere()) await step('Docker Engine', stopDockerStartedHere);
  say(`Kept: images, what was installed, and the state in ${stateDir()}.`);
}

async function removeEnvs() {
  const { stdout } = await must([...berth, 'ps', '--json'], { cwd: root, env: commandEnv() });
  const ids = JSON.parse(stdout).envs.map(({ envId }) => envId);
  if (ids.length > 0) await command(['rm', ...ids], 'the removal of the envs');
}

const commandEnv = () => ({ BERTH_ADDRESS: grpcAddress() });

/** Runs the CLI on this terminal. */
async function command(args, what) {
  const { code } = await run([...berth, ...args], {
    show: true,
    cwd: root,
    env: commandEnv(),
  });
  if (code !== 0) {
    throw new SetupError(
      `berth ${args.join(' ')} ended with ${code}: ${what} failed; berthd's log is ${daemonLog()}.`,
    );
  }
}

const startedMs = performance.now();
try {
  requireHost();
  const isDown = process.argv.includes('--down');
  await (isDown ? down() : up());
  say(`quickstart: ${isDown ? 'down' : 'ok'} in ${seconds(performance.now() - startedMs)}`);
} catch (error) {
  // A known failure says what to do; anything else is a defect and needs its stack.
  const known = error instanceof SetupError || error?.name === 'BerthError';
  console.error(`\n${known ? error.message : error?.stack}`);
  say(`quickstart: failed after ${seconds(performance.now() - startedMs)}`);
  process.exitCode = 1;
}
