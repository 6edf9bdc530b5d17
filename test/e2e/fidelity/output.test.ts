import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BerthClient, OutputStream, StartPath } from '../../../clients/typescript/src/index.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';

const MIB = 1024 * 1024;

let client: BerthClient;
daemonOfFile({ env: { BERTH_SANDBOX_CPU_MILLIS: '2000' } }, (started) => ({ client } = started));

/** Each writes `seen` and goes on for longer than the test may take. What it wrote must be there meanwhile. */
const AT_ONCE: Record<string, string> = {
  'print with flush': 'print("seen", flush=True)',
  'print and sys.stdout.flush': 'import sys\nprint("seen")\nsys.stdout.flush()',
  stderr: 'import sys\nprint("seen", file=sys.stderr)',
  'a part of a line on stderr': 'import sys\nsys.stderr.write("seen")\nsys.stderr.flush()',
  'os.write': 'import os\nos.write(1, b"seen")',
  'sys.stdout.buffer.raw': 'import sys\nsys.stdout.buffer.raw.write(b"seen\\n")',
  'stdout made line buffered': 'import sys\nsys.stdout.reconfigure(line_buffering=True)\nprint("seen")',
  'an unbuffered file': 'open(1, "wb", buffering=0, closefd=False).write(b"seen")',
  'a child': 'import subprocess\nsubprocess.run(["echo", "seen"])',
  'a thread': 'import threading\nthreading.Thread(target=lambda: print("seen", flush=True)).start()',
  'more than a buffer without flush': 'print("seen" + "." * 10000)',
  'a warning': 'import warnings\nwarnings.warn("seen")',
  logging: 'import logging\nlogging.warning("seen")',
  'asyncio debug': 'import asyncio\nasync def main(): print("seen", flush=True)\nasyncio.run(main())',
};

async function firstOutput(code: string, env: Record<string, string> = {}): Promise<[OutputStream, string]> {
  for await (const { event } of client.execute({
    language: 'python',
    source: { $case: 'code', value: code },
    env,
  }))
    // Leaving the loop cancels the call, and with it the execution.
    if (event?.$case === 'output') return [event.value.stream, event.value.data.toString()];
  throw new Error('there was no output');
}

describe('output appears as it is written', () => {
  it.each(Object.entries(AT_ONCE))('%s', async (_, write) => {
    const [, text] = await firstOutput(`${write}\nimport time\ntime.sleep(600)\n`);
    expect(text).toContain('seen');
  });

  it('with PYTHONUNBUFFERED, each print', async () => {
    const [, text] = await firstOutput('print("seen")\nimport time\ntime.sleep(600)\n', {
      PYTHONUNBUFFERED: '1',
    });
    expect(text).toContain('seen');
  });

  it('but print to a pipe waits in its buffer, as under plain python3', async () => {
    const [stream, text] = await firstOutput(
      'import os, time\nprint("late")\nos.write(2, b"first")\ntime.sleep(600)\n',
    );
    expect([stream, text]).toEqual([OutputStream.STDERR, 'first']);
  });
});

it('200 MB of every byte arrive exactly', async () => {
  const block = Buffer.from(Array.from({ length: 256 * 4096 }, (_, i) => i & 0xff));
  const expected = createHash('sha256');
  for (let i = 0; i < 200; i++) expected.update(block);
  const received = createHash('sha256');
  let bytes = 0;
  let path: StartPath | undefined;
  const events = client.execute({
    language: 'python',
    source: {
      $case: 'code',
      value:
        'import sys\nblock = bytes(range(256)) * 4096\nfor _ in range(200): sys.stdout.buffer.write(block)',
    },
    limits: { outputBytes: 256 * MIB },
  });
  for await (const { event } of events) {
    if (event?.$case === 'started') path = event.value.startPath;
    if (event?.$case !== 'output') continue;
    received.update(event.value.data);
    bytes += event.value.data.byteLength;
  }
  expect(path).toBe(StartPath.SPARE);
  expect(bytes).toBe(200 * block.byteLength);
  expect(received.digest('hex')).toBe(expected.digest('hex'));
});
