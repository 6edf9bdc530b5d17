import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cgroupsOf, IMAGE, startEngine, startSandbox } from './support.js';

let directory: string;
beforeAll(async () => {
  // Not /tmp: a sandbox has its own.
  directory = await mkdtemp('/var/tmp/berth-local-');
  // Bubblewrap is started by the user that the runner is outside.
  await chmod(directory, 0o755);
});
afterAll(() => rm(directory, { recursive: true }));

const script = async (name: string, text: string): Promise<string> => {
  const file = path.join(directory, name);
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
  return file;
};

it.each([
  ['a path cannot be shown', { expose: '/usr,/tmp/x' }, /local\.expose: \/tmp\/x cannot be shown/],
  ['it is turned off', { mode: 'off' as const }, /turned off \(local\.mode\)/],
  [
    'there is no bubblewrap',
    { bwrap: 'bwrap-that-is-not-there' },
    /not in .*; install it: apt-get install bubblewrap/,
  ],
  [
    'the interpreter is not there',
    { python: '/nowhere/python3' },
    /local\.python: \/nowhere\/python3 is no program/,
  ],
  [
    'cgroups cannot be made',
    { cgroupParent: 'cgroup.procs' },
    /cannot be limited: .*local\.unenforcedLimits=allow/,
  ],
  [
    'the uid of the runner is one of executions',
    { runnerUid: 300_500 },
    /local\.runnerUid 300500 is one of the uids/,
  ],
])('refuses when %s', async (_name, config, problem) => {
  const engine = await startEngine(config);
  expect(engine.problem).toMatch(problem);
  await expect(engine.sandboxes.resolveImage(IMAGE)).rejects.toMatchObject({
    reason: 'ISOLATION_UNAVAILABLE',
    message: expect.stringMatching(problem) as string,
  });
  await engine.close();
  expect(cgroupsOf(engine.owner)).toEqual([]);
});

it('refuses where bubblewrap cannot make namespaces, with its reason', async () => {
  const bwrap = await script(
    'bwrap',
    'echo "bwrap: Creating new namespace failed: No space left on device" >&2; exit 1',
  );
  const engine = await startEngine({ bwrap });
  expect(engine.problem).toMatch(/a sandbox could not be made: .*Creating new namespace failed/);
  await engine.close();
});

it('refuses an interpreter that the launcher does not start with', async () => {
  const python = await script(
    'python3',
    `case "$1" in -I) echo '["${directory}/python3", "0", "/usr", "/usr"]';; *) echo too old >&2; exit 1;; esac`,
  );
  const engine = await startEngine({ python, expose: directory });
  expect(engine.problem).toMatch(/launcher .*too old/);
  await engine.close();
});

it('without cgroups it runs only when that was allowed, with limits of each process', async () => {
  const engine = await startEngine({ cgroupParent: 'cgroup.procs', unenforcedLimits: 'allow' });
  expect(engine.problem).toBe('');
  await using sandbox = await startSandbox(engine);
  const { stdout } = await sandbox.python(`
import os, time
try: bytearray(1 << 29)
except MemoryError: print('no memory')
count = 0
try:
    while True:
        if os.fork() == 0: time.sleep(100)
        count += 1
except OSError as error: print(error.strerror, count < 32)
`);
  expect(stdout).toBe('no memory\nResource temporarily unavailable True\n');
  expect((await sandbox.python('print("on")')).stdout).toBe('on\n');
  expect(sandbox.sandbox.receipt?.verifiedBy).toBe('runner');
  await engine.close();
});
