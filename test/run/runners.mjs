// Runs one kind of check or test program on this terminal and counts what passed and failed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root, which } from '../../src/cli/setup/host.mjs';
import { run } from '../../src/cli/setup/processes.mjs';
import { OUTCOME_VARIABLE } from './vitest-outcome.mjs';

/** @typedef {import('./vitest-outcome.mjs').Outcome} Outcome */

const NOTHING = { passed: 0, failed: 0, skipped: 0, failures: [] };
const failure = (name, error) => ({ ...NOTHING, failed: 1, failures: [{ name, error }] });

/** A command that is right or wrong as a whole. */
export async function check(argv, onLine = (line) => console.log(line)) {
  const { code, tail } = await run(argv, { cwd: root, onLine });
  if (code === 0) return { ...NOTHING, passed: 1 };
  const end = tail.split('\n').slice(-10).join('\n');
  return failure(argv.join(' '), `ended with ${code}; its last lines:\n${end}`);
}

/** As `check`, beside something else: what it says comes when it has ended. */
export async function checkAside(argv) {
  const lines = [];
  const outcome = await check(argv, (line) => lines.push(line));
  if (outcome.failed > 0) console.log([`── ${argv.join(' ')}`, ...lines].join('\n'));
  return outcome;
}

/** A vitest project: its tests, and as failures of their own the files, hooks and whatever else went wrong. */
export async function vitestProject(project, env, options = []) {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-test-outcome-'));
  try {
    const file = join(scratch, 'outcome.json');
    const { code } = await run(
      [
        join(root, 'node_modules/.bin/vitest'),
        'run',
        ...['--project', project, ...options],
        ...['--reporter=default', `--reporter=${join(root, 'test/run/vitest-outcome.mjs')}`],
      ],
      { cwd: root, env: { ...env, [OUTCOME_VARIABLE]: file }, show: true },
    );
    return vitestOutcome(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined, code);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/**
 * @param {Outcome | undefined} outcome what vitest reported; undefined: it did not get so far
 * @returns {Outcome}
 */
export function vitestOutcome(outcome, code) {
  if (outcome === undefined) return failure('vitest', `ended with ${code} before it could report`);
  if (code === 0 || outcome.failed > 0) return outcome;
  // It found no test, or was killed.
  const { failed, failures } = failure('vitest', `ended with ${code} although no test failed`);
  return { ...outcome, failed, failures };
}

/** All Go tests of a module. Packages that do not compile, or panic outside of a test, are failures of their own. */
export async function goTests(directory, env) {
  const cwd = join(root, directory);
  if (!existsSync(join(cwd, 'go.mod'))) {
    return failure(directory, 'has no go.mod');
  }
  const go = which('go');
  const events = [];
  const { code } = await run([go, 'test', '-json', '-count=1', '-p=2', './...'], {
    cwd,
    env: { GOFLAGS: '', PATH: `${dirname(go)}:${process.env.PATH ?? ''}`, ...env },
    onLine: (line) => {
      const event = parse(line);
      if (event === undefined) console.log(line);
      else events.push(event);
    },
  });
  printGo(events);
  return goOutcome(events, code);
}

/**
 * @param {object[]} events of `go test -json`
 * @returns {Outcome}
 */
export function goOutcome(events, code) {
  const ended = (action) => events.filter(({ Test, Action }) => Test !== undefined && Action === action);
  const tests = ended('fail');
  const failedIn = new Set(tests.map(({ Package }) => Package));
  // A package that failed for itself: it does not compile, or panics outside of a test.
  const packages = events.filter(
    ({ Package, Test, Action }) => Test === undefined && Action === 'fail' && !failedIn.has(Package),
  );
  const failures = [...tests, ...packages].map(({ Package, Test }) => ({
    name: [Package, Test].filter(Boolean).join(' '),
    error: goOutput(events, Package, Test),
  }));
  if (code !== 0 && failures.length === 0)
    failures.push(...failure('go test', `ended with ${code}`).failures);
  return {
    passed: ended('pass').length,
    failed: failures.length,
    skipped: ended('skip').length,
    failures,
  };
}

/** What a test said, or a package outside of its tests or its compiler, without the marks of when it ran. */
function goOutput(events, name, test) {
  return events
    .filter(
      (event) =>
        (event.Action === 'output' && event.Package === name && event.Test === test) ||
        (event.Action === 'build-output' && test === undefined && event.ImportPath?.startsWith(name)),
    )
    .map(({ Output }) => Output)
    .filter((line) => !line.startsWith('=== '))
    .join('')
    .trimEnd();
}

/** The output of failed tests and packages, and a line for each package. */
function printGo(events) {
  const failed = new Set(
    events.filter(({ Action }) => Action === 'fail').map(({ Package, Test }) => `${Package} ${Test ?? ''}`),
  );
  for (const event of events) {
    const isOutput = event.Action === 'output' || event.Action === 'build-output';
    const ofFailed = failed.has(`${event.Package} ${event.Test ?? ''}`) || event.Action === 'build-output';
    if (isOutput && (ofFailed || event.Test === undefined)) process.stdout.write(event.Output);
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
