// `npm run bench`: prepares what the benchmark needs, measures Berth against what people use otherwise, and prints a
// table of ratios. `-- --json FILE` writes them, `-- --only execute,deploy` selects, `-- --profile` says where the time
// of an execution and of the steps of a deployment goes.
import { ensureBuild, ensureDependencies } from '../../src/cli/setup/checkout.mjs';
import { ensureCompose } from '../../src/cli/setup/compose-plugin.mjs';
import { ensureCrun } from '../../src/cli/setup/crun.mjs';
import { ensureDocker } from '../../src/cli/setup/docker-engine.mjs';
import { SetupError, requireHost } from '../../src/cli/setup/host.mjs';
import { describeImages, ensureImages } from '../../src/cli/setup/images.mjs';
import { seconds, say, step } from '../../src/cli/setup/progress.mjs';
import { parseArguments } from './arguments.mjs';

const INTERRUPTED = 130;

async function prepare({ images: appImages, needsCompose }) {
  await step('prepare dependencies', ensureDependencies);
  await step('prepare build', ensureBuild);
  await step('prepare Docker Engine', ensureDocker);
  const names = ['berth/sandbox-python:3.11', ...appImages];
  let images = [];
  await step('prepare images', async (note) => {
    images = await ensureImages(names, note);
    return describeImages(images);
  });
  await step('prepare crun', (note) => ensureCrun(images[0].reference, note));
  let compose;
  if (needsCompose) {
    await step('prepare docker compose', async (note) => {
      compose = await ensureCompose(note);
      return compose?.version ?? 'not available: the comparison with it is left out';
    });
  }
  return { compose, sandboxImage: images[0].reference };
}

/** Aborted by the first SIGINT or SIGTERM; what runs then ends and everything is taken down. A second one ends at once. */
function interruption() {
  const abort = new AbortController();
  const onSignal = () => {
    if (abort.signal.aborted) process.exit(INTERRUPTED);
    process.exitCode = INTERRUPTED;
    say('\ninterrupted: taking everything down');
    abort.abort(new SetupError('The benchmark was interrupted.'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return abort.signal;
}

const startedMs = performance.now();
try {
  const options = parseArguments(process.argv.slice(2));
  requireHost();
  const prepared = await prepare(options);
  // Only now are there dependencies and a build that it can import.
  const { runBenchmark } = await import('./benchmark.mjs');
  await runBenchmark({ ...options, ...prepared, signal: interruption() });
  say(`bench: ok in ${seconds(performance.now() - startedMs)}`);
} catch (error) {
  const known = error instanceof SetupError || error?.name === 'BerthError';
  console.error(`\n${known ? error.message : error?.stack}`);
  say(`bench: failed after ${seconds(performance.now() - startedMs)}`);
  process.exitCode ||= 1;
}
process.exit();
