import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/engine/docker/images/package-root.js';

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  failures: { name: string; error: string }[];
}
interface Runners {
  vitestOutcome(outcome: Outcome | undefined, code: number): Outcome;
  goOutcome(events: object[], code: number): Outcome;
}
interface Failures {
  failureLines(stages: { name: string; failures: Outcome['failures'] }[]): string[];
}
interface Leaks {
  differences(before: Map<string, string>, after: Map<string, string>): string[];
}

// Plain JavaScript that runs before anything is installed; it has no types to import.
const load = async <T>(file: string) =>
  (await import(pathToFileURL(join(packageRoot(), 'test/run', file)).href)) as T;
const { vitestOutcome, goOutcome } = await load<Runners>('runners.mjs');
const { failureLines } = await load<Failures>('failures.mjs');
const { differences } = await load<Leaks>('leaks.mjs');

/** What vitest reports of test files, run as `npm test` runs them. */
async function reported(files: Record<string, string>): Promise<Outcome> {
  const root = await mkdtemp(join(tmpdir(), 'berth-reported-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
    const file = join(root, 'outcome.json');
    const reporter = join(packageRoot(), 'test/run/vitest-outcome.mjs');
    const vitest = join(packageRoot(), 'node_modules/.bin/vitest');
    await promisify(execFile)(
      vitest,
      ['run', '--root', root, '--globals', '--pool=threads', `--reporter=${reporter}`],
      {
        env: { PATH: process.env['PATH'], BERTH_TEST_OUTCOME: file },
      },
    ).catch(() => 'it fails, as it should');
    return JSON.parse(await readFile(file, 'utf8')) as Outcome;
  } finally {
    await rm(root, { recursive: true });
  }
}

describe('what vitest reports', () => {
  it('counts tests and names what failed: tests, hooks, files and what nobody caught', async () => {
    const { failures, ...counts } = await reported({
      'tests.test.js': `
        it('passes', () => {});
        it.skip('is skipped', () => {});
        it.todo('is to do');
        describe('a group', () => { it('fails', () => expect({ a: 1 }).toEqual({ a: 2 })); });
        it('throws', () => { throw new TypeError('no such thing'); });
        it('leaves an error behind', async () => { void Promise.reject(new Error('nobody caught me')); await new Promise(setImmediate); });`,
      'hooks.test.js': `
        describe('a group', () => { it('passes', () => {}); afterAll(() => { throw new Error('it was left behind'); }); });
        afterAll(() => { throw new Error('it did not stop'); });`,
      'broken.test.js': `throw new Error('it cannot be loaded');`,
    });
    expect(counts).toEqual({ passed: 3, failed: 6, skipped: 2 });
    const told = new Map(failures.map(({ name, error }) => [name, error]));
    expect([...told.keys()].sort()).toEqual([
      'an error outside of tests',
      'broken.test.js',
      'hooks.test.js',
      'hooks.test.js > a group (its hooks)',
      'tests.test.js > a group > fails',
      'tests.test.js > throws',
    ]);
    expect(told.get('an error outside of tests')).toMatch(
      /^Error: nobody caught me\n +at .*tests\.test\.js:7:/,
    );
    expect(told.get('broken.test.js')).toContain('it cannot be loaded');
    expect(told.get('hooks.test.js')).toContain('it did not stop');
    expect(told.get('hooks.test.js > a group (its hooks)')).toContain('it was left behind');
    expect(told.get('tests.test.js > a group > fails')).toMatch(
      /^AssertionError: expected .*\n +at .*tests\.test\.js:5:[^]*"a": 2,\n.*"a": 1,/,
    );
    expect(told.get('tests.test.js > throws')).toMatch(/^TypeError: no such thing\n +at /);
  });

  const outcome = (failures: Outcome['failures'] = []): Outcome => ({
    passed: 3,
    failed: failures.length,
    skipped: 1,
    failures,
  });

  it('is what it says where it names a failure, or vitest was content', () => {
    const failed = outcome([{ name: 'a', error: 'no' }]);
    expect(vitestOutcome(failed, 1)).toEqual(failed);
    expect(vitestOutcome(outcome(), 0)).toEqual(outcome());
  });

  it('is never a success after a bad exit code, nor without a report', () => {
    expect(vitestOutcome(outcome(), 137)).toMatchObject({
      passed: 3,
      failed: 1,
      failures: [{ name: 'vitest', error: expect.stringContaining('137') }],
    });
    expect(vitestOutcome(undefined, 0)).toMatchObject({
      passed: 0,
      failed: 1,
      failures: [{ name: 'vitest' }],
    });
  });
});

describe('what go test -json reports', () => {
  const event = (Action: string, Package: string, Test?: string) => ({ Action, Package, Test });
  const output = (Package: string, Test: string | undefined, Output: string) => ({
    ...event('output', Package, Test),
    Output,
  });

  it('counts tests, not their packages, and tells what the failed ones said', () => {
    const events = [
      event('pass', 'a', 'T1'),
      output('a', 'T2', '=== RUN   T2\n'),
      output('a', 'T1', 'of another\n'),
      output('a', 'T2', '    a_test.go:7: got 1\n'),
      output('a', 'T2', '--- FAIL: T2 (0.00s)\n'),
      event('fail', 'a', 'T2'),
      event('fail', 'a'),
      event('skip', 'a', 'T3'),
    ];
    expect(goOutcome(events, 1)).toEqual({
      passed: 1,
      failed: 1,
      skipped: 1,
      failures: [{ name: 'a T2', error: '    a_test.go:7: got 1\n--- FAIL: T2 (0.00s)' }],
    });
  });

  it('counts a package that does not compile', () => {
    const events = [
      event('pass', 'a', 'T1'),
      { Action: 'build-output', ImportPath: 'b [b.test]', Output: './b.go:3: undefined: x\n' },
      output('b', undefined, 'FAIL\tb [build failed]\n'),
      event('fail', 'b'),
    ];
    expect(goOutcome(events, 1)).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
      failures: [{ name: 'b', error: './b.go:3: undefined: x\nFAIL\tb [build failed]' }],
    });
  });

  it('is never a success after a bad exit code', () => {
    expect(goOutcome([], 2)).toMatchObject({ failed: 1, failures: [{ name: 'go test' }] });
  });
});

describe('the end of a failed run', () => {
  it('names each failure with its stage and how its error begins, and no more than can be read', () => {
    const long = Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n');
    const lines = failureLines([
      { name: 'lint', failures: [] },
      {
        name: 'e2e',
        failures: [{ name: 'exec.test.ts > gets signals', error: 'AssertionError: no\nat x:1' }],
      },
      { name: 'unit', failures: [{ name: 'long', error: long }] },
    ]);
    expect(lines.slice(0, 5)).toEqual([
      '✗ e2e: exec.test.ts > gets signals',
      '    AssertionError: no',
      '    at x:1',
      '✗ unit: long',
      '    line 0',
    ]);
    expect(lines.at(-1)).toBe('    (25 more lines)');
    const many = Array.from({ length: 30 }, (_, i) => ({ name: `${i}`, error: 'no' }));
    expect(failureLines([{ name: 'unit', failures: many }]).at(-1)).toBe('and 5 more failures, above');
    expect(failureLines([{ name: 'unit', failures: [] }])).toEqual([]);
  });
});

describe('differences', () => {
  it('names what was left behind and what is gone', () => {
    const before = new Map([
      ['container 1', 'container one'],
      ['port 80', 'listening port 80'],
    ]);
    const after = new Map([
      ['port 80', 'listening port 80 of process 7'],
      ['volume v', 'volume v'],
    ]);
    expect(differences(before, after)).toEqual(['left behind: volume v', 'gone: container one']);
    expect(differences(before, before)).toEqual([]);
  });
});
