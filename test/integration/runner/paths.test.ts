import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestSandbox } from './test-sandbox.js';

let box: TestSandbox;
beforeAll(async () => {
  box = await TestSandbox.start();
});
afterAll(() => box.close());

describe('the path that a program takes', () => {
  test('a fresh interpreter for a file that shadows a preloaded module', async () => {
    const outcome = await box.once({
      code: 'import json; print(json.mine)',
      files: { 'json.py': 'mine = "shadow"' },
    });
    expect(outcome.started).toMatchObject({
      path: 'fresh',
      reason: 'file json.py shadows a preloaded module',
    });
    expect(outcome.stdout).toBe('shadow\n');
  });

  test('is the same for what is loaded only before the second spare: in the first, a file of that name is simply found', async () => {
    const fresh = await TestSandbox.start();
    try {
      const LOADED = 'import sys; print("decimal" in sys.modules)';
      const shadowing = {
        code: 'import decimal; print(decimal.mine)',
        files: { 'decimal.py': 'mine = "shadow"' },
      };
      const first = await fresh.once(shadowing);
      expect(first.started?.path).toBe('spare');
      expect(first.stdout).toBe('shadow\n');
      expect((await fresh.once({ code: LOADED })).stdout).toBe('True\n');
      const third = await fresh.once(shadowing);
      expect(third.started).toMatchObject({
        path: 'fresh',
        reason: 'file decimal.py shadows a preloaded module',
      });
      expect(third.stdout).toBe('shadow\n');
      expect((await fresh.once({ code: 'import decimal; print(decimal.Decimal("1.5") * 2)' })).stdout).toBe(
        '3.0\n',
      );
    } finally {
      await fresh.close();
    }
  });

  test('a fresh interpreter for a directory that shadows one', async () => {
    const outcome = await box.once({
      code: 'import random.x',
      files: { 'random/__init__.py': '', 'random/x.py': 'print("mine")' },
    });
    expect(outcome.started?.path).toBe('fresh');
    expect(outcome.stdout).toBe('mine\n');
  });

  test('the spare for a name that a plain interpreter does not look for either', async () => {
    const outcome = await box.once({
      code: 'import os; print(os.sep)',
      files: { 'os.py': 'raise SystemExit("shadowed")', 'helper.py': '' },
    });
    expect(outcome.started?.path).toBe('spare');
    expect(outcome.stdout).toBe('/\n');
  });

  test.each(['PYTHONPATH', 'PYTHONHASHSEED', 'LD_LIBRARY_PATH', 'LC_ALL', 'LANG', 'MALLOC_ARENA_MAX'])(
    'a fresh interpreter for %s',
    async (name) => {
      const value = name === 'PYTHONPATH' ? '/tmp' : '0';
      const outcome = await box.once({
        code: `import os, sys; print(os.environ[${JSON.stringify(name)}], "/tmp" in sys.path)`,
        env: { [name]: value },
      });
      expect(outcome.started).toMatchObject({ path: 'fresh', reason: `env ${name}` });
      expect(outcome.stdout).toBe(`${value} ${name === 'PYTHONPATH' ? 'True' : 'False'}\n`);
    },
  );

  test('a fork on request when there is no spare', async () => {
    await using lonely = await TestSandbox.start();
    await lonely.run({ code: 'print(1)' });
    const outcome = await lonely.run({ code: 'print(2)' });
    expect(outcome.started?.path).toBe('fork');
    expect(outcome.stdout).toBe('2\n');
  });

  test('a fork on request for another uid than the spare has', async () => {
    box.uid += 10;
    const outcome = await box.once({ code: 'import os; print(os.getuid())' });
    expect(outcome.started?.path).toBe('fork');
    expect(Number(outcome.stdout)).toBe(box.uid - 1);
  });
});

describe('commands', () => {
  test('run with arguments, environment and files', async () => {
    const outcome = await box.once({
      command: ['sh', '-c', 'echo "$0 $WHO $(cat dir/a.txt)"; pwd; id -u; exit 5', 'me'],
      env: { WHO: 'you' },
      files: { 'dir/a.txt': 'content' },
    });
    expect(outcome.started).toMatchObject({ path: 'command' });
    expect(outcome.stdout).toBe(`me you content\n/workspace\n${box.uid - 1}\n`);
    expect(outcome.exit).toMatchObject({ end: 'exited', exitCode: 5 });
  });

  test('that do not exist fail to start, with the reason', async () => {
    const outcome = await box.once({ command: ['no-such-command'] });
    expect(outcome.exit.end).toBe('start_failed');
    expect(outcome.exit.message).toContain('no-such-command');
    expect(outcome.exit.exitCode).toBeUndefined();
  });

  test('work where no launcher runs', async () => {
    await using plain = await TestSandbox.start({ languages: [] });
    expect(plain.ready).toMatchObject({ protocol: 1, pid: 1, languages: {}, baselineProcesses: 1 });
    expect((await plain.run({ command: ['echo', 'hi'] })).stdout).toBe('hi\n');
  });
});

describe('what a request brings', () => {
  test('files, with modes and directories', async () => {
    const outcome = await box.once({
      code: `
import os, stat
for root, dirs, files in sorted(os.walk('.')):
    for name in sorted(dirs + files):
        path = os.path.join(root, name)
        s = os.stat(path)
        print(path, oct(stat.S_IMODE(s.st_mode)), s.st_size, s.st_uid == os.getuid())
`,
      files: { 'a/b/c.bin': new Uint8Array([0, 255, 10]), 'empty/': '', 'data.csv': 'x,y\n' },
    });
    expect(outcome.stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^\.\/a 0o755 \d+ True$/),
      './data.csv 0o644 4 True',
      expect.stringMatching(/^\.\/empty 0o755 \d+ True$/),
      expect.stringMatching(/^\.\/main\.py 0o644 \d+ True$/),
      expect.stringMatching(/^\.\/a\/b 0o755 \d+ True$/),
      './a/b/c.bin 0o644 3 True',
    ]);
  });

  test.each(['/etc/x', '../x', 'a/../../x', ''])('a file path %j is refused', async (path) => {
    const outcome = await box.once({ code: 'print(1)', files: { [path]: 'x' } });
    expect(outcome.exit.end).toBe('start_failed');
    expect(outcome.exit.message).toContain('file path');
    await box.reset();
  });

  test('an entry of another name, in another directory', async () => {
    const program = {
      code: 'import sys, os; print(sys.argv, sys.path[0], __file__, os.getcwd())\n1/0',
      entry: 'app.py',
      cwd: '/tmp',
      argv: ['x'],
    };
    const plain = await box.plain(program);
    const spare = await box.once(program);
    expect(spare.started?.path).toBe('spare');
    expect([spare.stdout, spare.stderr]).toEqual([plain.stdout, plain.stderr]);
  });

  test('an entry that is one of the files', async () => {
    const outcome = await box.once({ entry: 'start.py', files: { 'start.py': 'print("from files")' } });
    expect(outcome.stdout).toBe('from files\n');
  });

  test('no entry at all fails to start', async () => {
    const outcome = await box.once({ entry: 'missing.py' });
    expect(outcome.exit).toMatchObject({
      end: 'start_failed',
      message: expect.stringContaining('missing.py'),
    });
  });

  test('20 MB of files', async () => {
    const big = Buffer.alloc(20 << 20, 'abcdefgh');
    const outcome = await box.once({
      code: 'import hashlib; print(hashlib.sha1(open("big","rb").read()).hexdigest())',
      files: { big },
    });
    const { createHash } = await import('node:crypto');
    expect(outcome.stdout.trim()).toBe(createHash('sha1').update(big).digest('hex'));
  });
});

describe('input', () => {
  test('of 1 MB, given with the start', async () => {
    const outcome = await box.once({
      code: 'import sys; print(len(sys.stdin.buffer.read()))',
      stdin: Buffer.alloc(1 << 20, 'x'),
    });
    expect(outcome.stdout).toBe('1048576\n');
  });

  test('streamed, line by line', async () => {
    box.begin({
      code: 'import sys\nfor line in sys.stdin: print("got", line.strip(), flush=True)\nprint("end")',
      stdinOpen: true,
      stdin: 'first\n',
    });
    expect(Buffer.from((await box.next('stdout')).bytes).toString()).toBe('got first\n');
    box.input('second\n');
    expect(Buffer.from((await box.next('stdout')).bytes).toString()).toBe('got second\n');
    expect(await box.next('stdinTaken')).toMatchObject({ bytes: 7 });
    box.input('end');
    const outcome = await box.finish();
    expect(outcome.stdout).toBe('end\n');
    expect(outcome.exit.exitCode).toBe(0);
    await box.reset();
  });

  test('that nobody reads is told as taken and harms nothing', async () => {
    box.begin({
      code: 'import os, time\nos.close(0)\nprint("closed", flush=True)\ntime.sleep(30)',
      stdinOpen: true,
    });
    await box.next('stdout');
    box.input('for nobody');
    expect((await box.next('stdinTaken')).bytes).toBe(10);
    box.kill({ kind: 'cancel' });
    await box.finish();
    box.input('too late');
    await box.reset();
    expect((await box.once({ code: 'print("alive")' })).stdout).toBe('alive\n');
  });

  test('a signal reaches the main process', async () => {
    box.begin({
      code: 'import signal\nsignal.signal(signal.SIGUSR1, lambda *a: print("usr1"))\nprint("ready", flush=True)\nsignal.pause()',
    });
    await box.next('stdout');
    box.kill({ kind: 'signal', signal: 10 });
    const outcome = await box.finish();
    expect(outcome.stdout).toBe('usr1\n');
    await box.reset();
  });
});
