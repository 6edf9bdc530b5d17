import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Outcome, TestSandbox } from './test-sandbox.js';

let box: TestSandbox;
beforeAll(async () => {
  box = await TestSandbox.start();
});
afterAll(() => box.close());

function ending(outcome: Outcome): [string, number | string | undefined] {
  return [outcome.exit.end, outcome.exit.exitCode ?? outcome.exit.signal];
}

describe('how a program ends', () => {
  test.each<[string, string, [string, number | string]]>([
    ['by running out', 'print("hello, world")', ['exited', 0]],
    ['with sys.exit(3)', 'import sys; sys.exit(3)', ['exited', 3]],
    ['with SystemExit without a code', 'raise SystemExit', ['exited', 0]],
    ['with SystemExit(None)', 'raise SystemExit(None)', ['exited', 0]],
    ['with a negative code', 'raise SystemExit(-1)', ['exited', 255]],
    ['with a message', 'raise SystemExit("no way")', ['exited', 1]],
    ['with os._exit', 'import os; os._exit(7)', ['exited', 7]],
    ['with an exception', '1/0', ['exited', 1]],
    ['by SIGKILL', 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)', ['signalled', 'SIGKILL']],
    ['by SIGSEGV', 'import ctypes; ctypes.string_at(0)', ['signalled', 'SIGSEGV']],
    ['by SIGTERM', 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)', ['signalled', 'SIGTERM']],
    ['by abort', 'import os; os.abort()', ['signalled', 'SIGABRT']],
    ['by KeyboardInterrupt', 'raise KeyboardInterrupt', ['signalled', 'SIGINT']],
  ])('%s', async (_, code, expected) => {
    const outcome = await box.once({ code });
    expect(ending(outcome)).toEqual(expected);
    expect(outcome.started?.path).toBe('spare');
  });

  test('hello, world arrives', async () => {
    const outcome = await box.once({ code: 'print("hello, world")' });
    expect(outcome.stdout).toBe('hello, world\n');
    expect(outcome.exit.usage).toMatchObject({ stdoutBytes: 13, stderrBytes: 0 });
    expect(outcome.exit.usage.wallUs).toBeGreaterThan(0);
    expect(outcome.exit.usage.peakMemoryBytes).toBeGreaterThan(1 << 20);
  });
});

test('two programs draw different random numbers', async () => {
  const draw = { code: 'import random; print(random.random())' };
  const [first, second] = [await box.once(draw), await box.once(draw)];
  expect(first.stdout).toMatch(/^0\.\d+/);
  expect(second.stdout).not.toBe(first.stdout);
});
