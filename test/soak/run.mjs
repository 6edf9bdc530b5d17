// `npm run soak`: ten clients at once against a real berthd, every answer verified, sandboxes taken away under them, and
// what must hold at the end. `-- --minutes M` (default 5), `-- --seed SEED` repeats the choices of an earlier run,
// `-- --log FILE` keeps berthd's log.
import { ensureBuild, ensureDependencies } from '../../src/cli/setup/checkout.mjs';
import { ensureDocker } from '../../src/cli/setup/docker-engine.mjs';
import { SetupError, requireHost } from '../../src/cli/setup/host.mjs';
import { describeImages, ensureImages } from '../../src/cli/setup/images.mjs';
import { seconds, say, step } from '../../src/cli/setup/progress.mjs';
import { parseArguments } from './arguments.mjs';

const INTERRUPTED = 130;

async function prepare() {
  await step('prepare dependencies', ensureDependencies);
  await step('prepare build', ensureBuild);
  await step('prepare Docker Engine', ensureDocker);
  await step('prepare images', async (note) =>
    describeImages(await ensureImages(['berth/sandbox-python:3.11'], note)),
  );
}

/**
 * Aborted by the first SIGINT or SIGTERM, or by an error that nobody caught; everything is taken down then. A second signal
 * ends at once.
 */
function interruption() {
  const abort = new AbortController();
  const onSignal = () => {
    if (abort.signal.aborted) process.exit(INTERRUPTED);
    process.exitCode = INTERRUPTED;
    say('\ninterrupted: taking everything down');
    abort.abort(new SetupError('The soak was interrupted.'));
  };
  process.on('uncaughtException', (error) => abort.abort(error));
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return abort.signal;
}

const startedMs = performance.now();
try {
  const options = parseArguments(process.argv.slice(2));
  requireHost();
  await prepare();
  // Only now are there dependencies and a build that it can import.
  const { runSoak } = await import('./soak.mjs');
  await runSoak({ ...options, signal: interruption() });
  say(`soak: ok in ${seconds(performance.now() - startedMs)}`);
} catch (error) {
  const known = error instanceof SetupError || error?.name === 'BerthError';
  console.error(`\n${known ? error.message : error?.stack}`);
  say(`soak: failed after ${seconds(performance.now() - startedMs)}`);
  process.exitCode ||= 1;
}
process.exit();
