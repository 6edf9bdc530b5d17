import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartPath } from '../../../clients/typescript/src/index.js';
import { extent, isFull } from '../../run/extent.mjs';
import type { Ended } from './program.js';
import { BothSides } from './both-sides.js';

const MIB = 1024 * 1024;
const TEN_MINUTES_MS = 600_000;
const RUN_TESTS = readFileSync(join(import.meta.dirname, 'cpython/run_tests.py'), 'utf8');

interface Suite {
  /** Module of CPython's tests, all of which `npm run test:full` runs. */
  module: string;
  /** Of these, what `npm test` runs. Default: all. */
  sample?: string[];
}

const SUITES: Suite[] = [
  { module: 'test_json' },
  { module: 'test_re' },
  { module: 'test_tempfile' },
  {
    module: 'test_threading',
    sample: ['ThreadJoinOnShutdown', 'MiscTestCase', 'InterruptMainTests', 'ExceptHookTests', 'AtexitTests'],
  },
  { module: 'test_subprocess', sample: ['RunFuncTestCase', 'ContextManagerTests', 'MiscTests'] },
  {
    module: 'test_asyncio',
    sample: [
      'test_taskgroups',
      'test_runners',
      'test_subprocess.SubprocessThreadedWatcherTests.test_stdin_stdout',
    ],
  },
  {
    module: 'test_multiprocessing_fork',
    sample: ['WithProcessesTestSharedMemory', 'WithProcessesTestQueue.test_get', 'TestForkAwareThreadLock'],
  },
  {
    module: 'test_multiprocessing_spawn',
    sample: ['WithProcessesTestProcess.test_process', 'WithProcessesTestQueue.test_get'],
  },
];

/** Tests whose outcome differs from one run of a plain interpreter to the next, and why. */
const FLAKY: Record<string, string> = {};

interface Outcomes {
  outcomes: Record<string, string>;
  reasons: Record<string, string>;
}

let both: BothSides;

beforeAll(async () => {
  const image = process.env.BERTH_TEST_CPYTHON_IMAGE;
  if (image === undefined)
    throw new Error('BERTH_TEST_CPYTHON_IMAGE names no image; `npm test -- e2e` prepares it');
  both = await BothSides.start({
    BERTH_SANDBOX_PYTHON_IMAGE: image,
    BERTH_SANDBOX_MEMORY_BYTES: String(1024 * MIB),
    BERTH_SANDBOX_CPU_MILLIS: '2000',
    BERTH_SANDBOX_PROCESSES: '512',
    BERTH_SANDBOX_TMPFS_BYTES: String(256 * MIB),
    BERTH_SANDBOX_SHM_BYTES: String(64 * MIB),
    BERTH_SANDBOX_WALL_MS: String(TEN_MINUTES_MS),
    BERTH_POOL_INITIAL: '1',
    BERTH_POOL_MAX: '1',
  });
});

afterAll(() => both.dispose());

/** Dotted names of what runs of a suite. */
function names({ module, sample }: Suite): string[] {
  return isFull() || sample === undefined ? [module] : sample.map((name) => `${module}.${name}`);
}

console.log(`CPython's tests: ${extent()}: ${SUITES.flatMap(names).join(', ')}`);

describe("CPython's own tests, as under plain python3", () => {
  it.each(SUITES)(
    '$module',
    async (suite) => {
      const program = { code: RUN_TESTS, args: names(suite).map((name) => `test.${name}`) };
      const [expected, result] = await Promise.all([both.plain.run(program), both.execute(program)]);
      expect(result.started.startPath).toBe(StartPath.SPARE);
      const plain = outcomes(expected);
      const warm = outcomes(result);
      expect(Object.keys(plain.outcomes).length).toBeGreaterThan(0);
      expect(differences(plain, warm)).toEqual([]);
    },
    2 * TEN_MINUTES_MS,
  );
});

function outcomes({ stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'>): Outcomes {
  const last = stdout.toString().trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the tests did not come to an end: ${stdout}\n${stderr}`);
  return JSON.parse(last) as Outcomes;
}

function differences(plain: Outcomes, warm: Outcomes): string[] {
  return [...new Set([...Object.keys(plain.outcomes), ...Object.keys(warm.outcomes)])]
    .filter((test) => plain.outcomes[test] !== warm.outcomes[test] && !(test in FLAKY))
    .map((test) => {
      const why = warm.reasons[test] ?? plain.reasons[test] ?? '';
      return `${test}: plain ${plain.outcomes[test]}, under Berth ${warm.outcomes[test]}\n${why}`;
    });
}
