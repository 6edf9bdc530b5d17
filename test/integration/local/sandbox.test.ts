import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalEngine } from '#dist/src/engine/local/create-local-engine.js';
import {
  cgroupsOf,
  IMAGE,
  LIMITS,
  localSpec,
  processesWith,
  startEngine,
  startSandbox,
  type LocalTestSandbox,
} from './support.js';

let engine: LocalEngine & { owner: string };
let sandbox: LocalTestSandbox;

beforeAll(async () => {
  engine = await startEngine();
  expect(engine.problem).toBe('');
  sandbox = await startSandbox(engine);
});
afterAll(async () => {
  await sandbox?.sandbox.destroy();
  await engine.close();
  expect(cgroupsOf(engine.owner)).toEqual([]);
  expect(processesWith(engine.owner)).toEqual([]);
});

describe('programs', () => {
  it('run in the warm interpreter of this host, under a uid of their own', async () => {
    const { stdout, end, startPath } = await sandbox.python(
      'import os, sys; print(__name__, sys.argv, os.getcwd(), os.getuid() == os.getgid() >= 300000)',
    );
    expect(stdout).toBe("__main__ ['main.py'] /workspace True\n");
    expect(end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(startPath).toBe('spare');
    expect(sandbox.sandbox.languageVersion).toBe(engine.languageVersions.get('python'));
  });

  it('get a fresh interpreter when their environment asks for one', async () => {
    const { stdout, startPath } = await sandbox.python('import sys; print(sys.flags.optimize)', {
      env: { PYTHONOPTIMIZE: '1' },
    });
    expect([stdout, startPath]).toEqual(['1\n', 'fresh']);
  });

  it('are commands too, and fail as they would outside', async () => {
    expect((await sandbox.command('sh', '-c', 'echo $((6 * 7)); exit 3')).end).toMatchObject({ exitCode: 3 });
    const { stderr, end } = await sandbox.python('1/0');
    expect(stderr).toMatch(/File "\/workspace\/main.py", line 1[^]*ZeroDivisionError/);
    expect(end).toMatchObject({ reason: 'exited', exitCode: 1 });
  });

  it('use threads, subprocesses, multiprocessing, temporary files and shared memory', async () => {
    const { stdout, stderr } = await sandbox.python(`
import multiprocessing, subprocess, tempfile, threading
from multiprocessing import shared_memory
def square(n): return n * n
if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool: print(pool.map(square, range(4)))
    print(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryFile() as file: print(file.write(b'x'))
    block = shared_memory.SharedMemory(create=True, size=64); block.close(); block.unlink()
    thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()
`);
    expect(stderr).toBe('');
    expect(stdout).toBe('[0, 1, 4, 9]\nhi\n1\nthread\n');
  });
});

describe('limits', () => {
  it('of memory end the program as out of memory, and the sandbox goes on', async () => {
    const { end } = await sandbox.python('x = bytearray(1 << 29)');
    expect(end).toMatchObject({ reason: 'out_of_memory', usage: { peakMemorySource: 'cgroup_peak' } });
    expect(end.usage.peakMemoryBytes).toBeGreaterThan(LIMITS.memoryBytes / 2);
    const next = await sandbox.python('print("on")');
    expect(next.stdout).toBe('on\n');
    expect(next.end.usage.peakMemoryBytes).toBeLessThan(LIMITS.memoryBytes / 2);
  });

  it('of processes refuse the next one', async () => {
    const { stdout } = await sandbox.python(`
import os, time
count = 0
try:
    while True:
        if os.fork() == 0: time.sleep(100)
        count += 1
except OSError as error: print(error.strerror, count < 32)
`);
    expect(stdout).toBe('Resource temporarily unavailable True\n');
    expect((await sandbox.python('print("on")')).stdout).toBe('on\n');
    expect(sandbox.sandbox.receipt?.killedProcesses).toBeGreaterThan(20);
  });

  it('of inotify are a sixteenth of what the kernel gives root, for whom it counts all sandboxes', async () => {
    const { stdout } = await sandbox.python(`
import ctypes
libc = ctypes.CDLL(None)
made = 0
while libc.inotify_init1(0) >= 0: made += 1
print(made)
`);
    const all = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
    expect(Number(stdout)).toBe(Math.floor(all / 16) + 1);
  });

  it('of time end it', async () => {
    const { end } = await sandbox.python('while True: pass', { wallMs: 200 });
    expect(end.reason).toBe('wall_timeout');
  });

  it('of CPU throttle it in periods of 10 ms', async () => {
    const quota = cgroupsOf(engine.owner)
      .map((directory) => `${directory}/${sandbox.sandbox.id}`)
      .flatMap((directory) => [`${directory}/cpu.max`, `${directory}/cpu.cfs_quota_us`])
      .flatMap((file) => read(file));
    expect(['10000', '10000 10000']).toContain(quota[0]);
  });

  it('of space and files hold in every writable place', async () => {
    const { stdout } = await sandbox.python(`
import os
for place in '/tmp', '/workspace', '/dev/shm':
    try:
        with open(place + '/big', 'wb') as file:
            while True: file.write(bytes(1 << 20))
    except OSError as error: print(place, error.strerror)
    os.unlink(place + '/big')
    try:
        for n in range(10_000): os.close(os.open(f'{place}/{n}', os.O_CREAT))
    except OSError as error: print(place, error.strerror, n < 513)
`);
    expect(stdout.trim().split('\n')).toEqual(
      ['/tmp', '/workspace', '/dev/shm'].flatMap((place) => [
        `${place} No space left on device`,
        `${place} No space left on device True`,
      ]),
    );
  });

  it('of descriptors and core dumps are those of the Docker sandboxes', async () => {
    const { stdout } = await sandbox.python(
      'import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))',
    );
    expect(stdout).toBe('(1024, 1024) (0, 0)\n');
  });
});

describe('a reset', () => {
  it('leaves nothing that a program planted, and is verified from outside', async () => {
    await sandbox.python(`
import os, subprocess, sys, time
for place in '/tmp', '/workspace', '/dev/shm':
    os.makedirs(place + '/a/\\u00e9 \\n/b', mode=0o700)
    open(place + '/.hidden', 'w').write('secret')
    os.chmod(place + '/a', 0)
open('/workspace/json.py', 'w').write('planted = True')
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)
`);
    const { stdout } = await sandbox.python(`
import json, os
print([os.listdir(place) for place in ('/tmp', '/dev/shm', '/dev/mqueue')], os.listdir('/workspace'), hasattr(json, 'planted'))
print(sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit())[0], len([pid for pid in os.listdir('/proc') if pid.isdigit()]))
`);
    expect(stdout).toBe("[[], [], []] ['main.py'] False\n1 3\n");
    // The one in between may have been killed or have ended by itself.
    expect(sandbox.sandbox.receipt?.killedProcesses).toBeGreaterThan(0);
    expect(sandbox.sandbox.receipt?.verifiedBy).toBe('runner+cgroup');
  });
});

describe('an engine', () => {
  it('stands in for its images only, with a digest of its own', async () => {
    expect(await engine.sandboxes.resolveImage(IMAGE)).toMatch(/^sha256:[0-9a-f]{64}$/);
    await expect(engine.sandboxes.resolveImage('python:3.11-slim')).rejects.toMatchObject({
      reason: 'IMAGE_NOT_FOUND',
    });
  });

  it('has no gVisor', async () => {
    const spec = { ...(await localSpec(engine)), isolation: 'gvisor' as const };
    await expect(engine.sandboxes.create('sbx_g', spec)).rejects.toMatchObject({
      reason: 'ISOLATION_UNAVAILABLE',
    });
  });

  it('leaves nothing of a sandbox whose creation was cancelled', async () => {
    const cancelled = AbortSignal.abort();
    await expect(engine.sandboxes.create('sbx_c', await localSpec(engine), cancelled)).rejects.toMatchObject({
      reason: 'CANCELLED',
    });
    expect(cgroupsOf(engine.owner).flatMap((directory) => read(`${directory}/sbx_c/cgroup.procs`))).toEqual(
      [],
    );
  });

  it('tells when the processes of a sandbox die, and destroys what is left', async () => {
    const victim = await startSandbox(engine);
    const lost = new Promise((resolve) => (victim.sandbox.onLost = resolve));
    const [runner] = cgroupsOf(engine.owner).flatMap((directory) =>
      read(`${directory}/${victim.sandbox.id}/cgroup.procs`),
    );
    process.kill(Number(runner?.split('\n')[0]), 'SIGKILL');
    expect(await lost).toMatchObject({ cause: 'container_died', oomKilled: false });
    await victim.sandbox.destroy();
    expect(processesWith(victim.sandbox.id)).toEqual([]);
  });
});

function read(file: string): string[] {
  try {
    return [readFileSync(file, 'latin1').trim()];
  } catch {
    return [];
  }
}
