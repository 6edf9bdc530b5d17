import { describe, expect, test } from 'vitest';
import { idFrom } from '../../../src/cli/app-folder.js';
import { signalExitCode } from '../../../src/cli/exit-codes.js';
import { formatDuration, formatSpan, parseDuration } from '../../../src/cli/output/duration.js';
import { formatSize, parseSize } from '../../../src/cli/output/size.js';
import { paintFor, printable } from '../../../src/cli/output/style.js';
import { table } from '../../../src/cli/output/table.js';
import { harness } from './harness.js';

const { berth } = harness();

test.each([
  ['500ms', 500],
  ['2.5s', 2_500],
  ['3m', 180_000],
  ['1h', 3_600_000],
  ['2d', 172_800_000],
  ['5', 5_000],
  ['5 s', 5_000],
  ['', undefined],
  ['-1s', undefined],
  ['1y', undefined],
  ['1e3', undefined],
  ['toString', undefined],
])('the duration %j', (text, expected) => expect(parseDuration(text)).toBe(expected));

test.each([
  [0, '0 ms'],
  [0.123, '0.12 ms'],
  [3.21, '3.2 ms'],
  [412.4, '412 ms'],
  [1_234, '1.2 s'],
  [125_000, '2 min 5 s'],
])('%d ms in words', (ms, expected) => expect(formatDuration(ms)).toBe(expected));

test.each([
  [-5, '0 s'],
  [59_400, '59 s'],
  [3_599_000, '59 min'],
  [7_199_990, '2 h'],
  [12_060_000, '3 h 21 min'],
  [3 * 86_400_000, '3 d'],
])('a span of %d ms', (ms, expected) => expect(formatSpan(ms)).toBe(expected));

test.each([
  ['1024', 1024],
  ['64m', 64 * 1024 ** 2],
  ['64MB', 64 * 1024 ** 2],
  ['64MiB', 64 * 1024 ** 2],
  ['1.5g', 1.5 * 1024 ** 3],
  ['10b', 10],
  ['m', undefined],
  ['1x', undefined],
])('the size %j', (text, expected) => expect(parseSize(text)).toBe(expected));

test.each([
  [740, '740 B'],
  [12_800, '12.5 KiB'],
  [512 * 1024 ** 2, '512 MiB'],
  [3 * 1024 ** 5, '3072 TiB'],
])('%d bytes in words', (bytes, expected) => expect(formatSize(bytes)).toBe(expected));

describe('tables', () => {
  test('columns are as wide as what is seen of them, and empty ones are left out', () => {
    const paint = paintFor(true, {});
    expect(
      table(
        ['A', 'GONE', 'B'],
        [
          [paint('red', 'xy'), '', '1'],
          ['z', '', '22'],
        ],
      ),
    ).toEqual(['A   B', `${paint('red', 'xy')}  1`, 'z   22']);
  });
});

test('text of others cannot steer the terminal', () => {
  expect(printable('a\u001b[31m\tb\r\u009b')).toBe('a\ufffd[31m    b\ufffd\ufffd');
});

test('colours need a terminal that shows them', () => {
  expect(paintFor(true, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m');
  expect(paintFor(false, {})('red', 'x')).toBe('x');
  expect(paintFor(true, { NO_COLOR: '1' })('red', 'x')).toBe('x');
  expect(paintFor(true, { NO_COLOR: '' })('red', 'x')).not.toBe('x');
});

test.each([
  ['SIGSEGV', 139],
  ['SIGKILL', 137],
  ['SIGNOTHING', 125],
  ['', 125],
])('the exit code of signal %j', (name, code) => expect(signalExitCode(name)).toBe(code));

test.each([
  ['My App!', 'My-App-'],
  ['..hidden', 'hidden'],
  ['a...b', 'a.b'],
  ['ünï', 'n-'],
  ['///', 'app'],
  ['x'.repeat(100), 'x'.repeat(64)],
])('the id of %j', (text, id) => expect(idFrom(text, 'app')).toBe(id));

test('help, version and mistakes', async () => {
  const help = await berth(['--help']);
  expect([help.code, help.io.out.text]).toEqual([
    0,
    expect.stringMatching(/Usage: berth.*\n(.*\n)*.*doctor/),
  ]);
  expect((await berth(['--version'])).io.out.text).toMatch(/^\d+\.\d+\.\d+\n$/);
  const runHelp = await berth(['run', '--help']);
  expect([runHelp.code, runHelp.io.out.text]).toEqual([0, expect.stringMatching(/124 time-out/)]);
  const wrong = await berth(['lgos']);
  expect([wrong.code, wrong.io.err.text]).toEqual([
    2,
    expect.stringMatching(/unknown command 'lgos'\n\(Did you mean logs\?\)/),
  ]);
  const nothing = await berth([]);
  expect([nothing.code, nothing.io.err.text]).toEqual([2, expect.stringMatching(/Usage: berth/)]);
});
