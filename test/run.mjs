// `npm test`: prepares what the tests need, runs every stage, checks that nothing is left behind, and ends with what
// failed and one line, `N passed, N failed`. `npm test -- unit runner` runs only those stages. `npm run test:full` is the
// same with `--full`: what `npm test` runs a sample of, it runs whole.
import { randomUUID } from 'node:crypto';
import { ensureDependencies } from '../src/cli/setup/checkout.mjs';
import { SetupError, requireHost } from '../src/cli/setup/host.mjs';
import { say, seconds, step } from '../src/cli/setup/progress.mjs';
import { FULL_VARIABLE, extent } from './run/extent.mjs';
import { failureLines } from './run/failures.mjs';
import { endOnSignal } from './run/interruption.mjs';
import { RUN_VARIABLE, differences, snapshot } from './run/leaks.mjs';
import { preparer } from './run/preparation.mjs';
import { STAGES } from './run/stages.mjs';

const FULL_OPTION = '--full';

/** A line of the summary. */
const results = [];

function record(name, outcome, startedMs, sampled = '') {
  results.push({ name, ...outcome, took: seconds(performance.now() - startedMs), sampled });
}

/** An outcome that is only failures, such as of what could not even begin. */
function failedWith(failures) {
  return { passed: 0, failed: failures.length, skipped: 0, failures };
}

function chosenStages(names) {
  const known = STAGES.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new SetupError(`There is no stage ${unknown.join(', ')}. Stages: ${known.join(', ')}.`);
  }
  return names.length === 0 ? STAGES : STAGES.filter(({ name }) => names.includes(name));
}

/** Prepares and runs one stage. What cannot be prepared is a failure of the stage, never a silent skip. */
async function runStage(stage, prepare) {
  const startedMs = performance.now();
  let env;
  try {
    env = await prepare(stage.needs);
  } catch (error) {
    record(stage.name, failedWith([{ name: 'cannot be prepared', error: messageOf(error) }]), startedMs);
    return;
  }
  say(`\n── ${stage.name}${stage.aside ? ' (beside the next)' : ''}`);
  try {
    record(stage.name, await stage.run(env), startedMs, stage.sampled);
  } catch (error) {
    record(stage.name, failedWith([{ name: 'ended early', error: messageOf(error) }]), startedMs);
  }
}

function messageOf(error) {
  const known = error instanceof SetupError || error?.name === 'BerthError';
  return known ? error.message : String(error?.stack ?? error);
}

function summarise() {
  say('\n── summary');
  for (const { name, passed, failed, skipped, took, sampled } of results) {
    const counts = [`${passed} passed`, `${failed} failed`, ...(skipped > 0 ? [`${skipped} SKIPPED`] : [])];
    say(`${failed > 0 ? '✗' : '✓'} ${name.padEnd(18)} ${counts.join(', ')} (${took})`);
    if (sampled !== '') say(`    ${sampled}: ${extent()}`);
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  if (sum('failed') > 0) {
    process.exitCode = 1;
    say('\n── failed');
    for (const line of failureLines(results)) say(line);
  }
  say(`${sum('passed')} passed, ${sum('failed')} failed`);
}

async function main() {
  const names = process.argv.slice(2).filter((argument) => argument !== FULL_OPTION);
  if (process.argv.includes(FULL_OPTION)) process.env[FULL_VARIABLE] = '1';
  const stages = chosenStages(names);
  requireHost();
  await step('prepare dependencies', ensureDependencies);
  const prepare = preparer();
  // Docker first: once it runs, its own sockets and networks are part of what was there before.
  if (stages.some(({ needs }) => needs.includes('docker'))) await prepare(['docker']).catch(() => {});

  const runId = randomUUID();
  process.env[RUN_VARIABLE] = runId;
  const unlessEnding = endOnSignal(runId);
  const before = await snapshot(runId);
  // Those aside go one after the other: the rest of the machine is for the tests.
  let aside = Promise.resolve();
  for (const stage of stages) {
    await unlessEnding();
    if (stage.aside) aside = aside.then(unlessEnding).then(() => runStage(stage, prepare));
    else await runStage(stage, prepare);
  }
  await aside;
  await unlessEnding();

  const startedMs = performance.now();
  const leaks = differences(before, await snapshot(runId));
  const failures = leaks.map((text) => ({ name: text, error: '' }));
  record('leaks', { ...failedWith(failures), passed: leaks.length === 0 ? 1 : 0 }, startedMs);
}

try {
  await main();
} catch (error) {
  record('preparation', failedWith([{ name: 'ended early', error: messageOf(error) }]), 0);
}
summarise();
