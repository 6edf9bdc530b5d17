import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Outcome, type Program, TestSandbox } from './test-sandbox.js';

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

/** Each is run by a spare and by a plain interpreter in the same container; all they show must be equal. */
const COMPARED: Record<string, Program> = {
  'what it knows of itself': {
    code: [
      'import os, signal, threading',
      'print(threading.get_native_id() == os.getpid(), threading.main_thread().native_id == os.getpid())',
      'print(os.getppid() > 0, threading.active_count(), threading.current_thread().name)',
      'try:',
      '    os.waitpid(-1, os.WNOHANG)',
      'except ChildProcessError as error:',
      '    print(error)',
      'child = os.fork()',
      'if child == 0:',
      '    thread = threading.Thread(target=lambda: print(threading.get_native_id() != os.getpid(), flush=True))',
      '    thread.start()',
      '    thread.join()',
      '    signal.raise_signal(signal.SIGUSR1)',
      'print(os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGUSR1)',
    ].join('\n'),
  },
  'a traceback': { code: 'def f(n):\n    return 1 / n\n\nprint("before")\nf(0)\n' },
  'chained exceptions': {
    code: 'try:\n    {}["a"]\nexcept KeyError as e:\n    raise ValueError("b") from e\n',
  },
  'an exception during another': { code: 'try:\n    1/0\nexcept ZeroDivisionError:\n    undefined_name\n' },
  'an exception group': { code: 'raise ExceptionGroup("g", [ValueError(1), TypeError(2)])' },
  'an exception with a note': { code: 'e = ValueError("x")\ne.add_note("a note")\nraise e' },
  'endless recursion': { code: 'def f(n):\n    return f(n + 1)\nf(0)\n' },
  'the recursion limit': { code: 'import sys\nprint(sys.getrecursionlimit())' },
  'an exception in an imported file': {
    code: 'import helper\nhelper.boom()\n',
    files: { 'helper.py': 'def boom():\n    raise RuntimeError("from helper")\n' },
  },
  'a syntax error': { code: 'print("never")\nif True\n    pass\n' },
  'an indentation error': { code: 'def f():\nreturn 1\n' },
  'an unclosed string': { code: 'x = "abc\n' },
  'a syntax error in an imported file': { code: 'import helper\n', files: { 'helper.py': 'def (:\n' } },
  'bytes that are no UTF-8': { code: Buffer.from([0x78, 0x20, 0x3d, 0x20, 0x27, 0xff, 0x27, 0x0a]) },
  'another source encoding': {
    code: Buffer.from('# -*- coding: latin-1 -*-\nprint(ascii("\xe9"))\n', 'latin1'),
  },
  'NUL in the source': { code: 'x = 1\0\n' },
  'a BOM': { code: '\ufeffprint("bom")\n' },
  'no code at all': { code: '\n' },
  'a syntax warning': { code: 'x = 1\nif x is 1: print("same")\n' },
  'a message at exit': { code: 'raise SystemExit("the message")' },
  'a tuple at exit': { code: 'raise SystemExit((1, "two"))' },
  KeyboardInterrupt: { code: 'def f():\n    raise KeyboardInterrupt\nf()' },
  'an own excepthook': { code: 'import sys\nsys.excepthook = lambda *a: print("hook", a[0].__name__)\n1/0' },
  'a failing excepthook': {
    code: 'import sys\ndef hook(*a): raise ValueError("in hook")\nsys.excepthook = hook\n1/0',
  },
  'an exit in the excepthook': { code: 'import sys\ndef hook(*a): sys.exit(9)\nsys.excepthook = hook\n1/0' },
  'atexit functions': {
    code: 'import atexit\natexit.register(print, "first registered")\natexit.register(print, "second")\nprint("main")',
  },
  'a failing atexit function': { code: 'import atexit\natexit.register(lambda: 1/0)\nprint("main")' },
  'an atexit function after an exception': { code: 'import atexit\natexit.register(print, "at exit")\n1/0' },
  'threads that outlive main': {
    code: 'import threading, time\ndef f():\n    time.sleep(0.05)\n    print("thread")\nthreading.Thread(target=f).start()\nprint("main")',
  },
  'daemon threads': {
    code: 'import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint("main")',
  },
  'an exception in a thread': {
    code: 'import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start(); t.join()',
  },
  'a thread pool': {
    code: 'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as p: print(list(p.map(lambda x: x*x, range(5))))',
  },
  'finalizers at the end': {
    code: 'class A:\n    def __del__(self): print("del", type(self).__name__)\nclass B(A): pass\na = A()\n_b = B()\nprint("main")',
  },
  'finalizers of cycles': {
    code: 'class A:\n    def __del__(self): print("del")\na = A(); a.me = a\ndel a\nprint("main")',
  },
  'an unflushed file': {
    code: 'f = open("out.txt", "w"); f.write("kept"); import atexit, os\natexit.register(lambda: print(os.listdir()))',
  },
  'a coroutine never awaited': { code: 'async def f(): pass\nf()\nprint("main")' },
  asyncio: {
    code: 'import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 5\nprint(asyncio.run(f()))',
  },
  'a closed stdout': { code: 'import sys\nprint("x")\nsys.stdout.close()' },
  'stdout that is none': { code: 'import sys\nprint("x", flush=True)\nsys.stdout = None' },
  warnings: { code: 'import warnings\nwarnings.warn("careful")\nwarnings.warn("old", DeprecationWarning)' },
  unraisable: { code: 'class A:\n    def __del__(self): raise ValueError("x")\nA()\nprint("main")' },
  'the flags': {
    code: 'import sys\nprint(sys.flags, sys.dont_write_bytecode, sys.pycache_prefix, sys._xoptions)',
  },
  'path and argv': {
    code: 'import sys\nprint(sys.path, sys.argv, sys.orig_argv, sys.executable, sys.prefix, __file__, __name__)',
    argv: ['a', '--b', 'ü c'],
  },
  'the main module': {
    code: 'import sys\nprint(sorted(globals()), __spec__, __package__, __doc__, __cached__, type(__loader__), __loader__.path, __loader__.name, __annotations__)\nprint(sys.modules["__main__"].__dict__ is globals(), __builtins__)',
  },
  'the streams': {
    code: 'import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n    print(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.buffer, s.seekable())\nprint(sys.__stdout__ is sys.stdout, sys.stdin.fileno())',
  },
  'the environment': {
    code: 'import os\nprint(sorted((k, v) for k, v in os.environ.items() if k != "_"))\nprint(os.getcwd(), os.getuid() > 0, os.getgroups(), oct(os.umask(0)))',
    env: { GREETING: 'hällo', EMPTY: '' },
  },
  'the environment of a child': {
    code: 'import subprocess\nprint(subprocess.run("echo $GREETING; pwd; umask; ulimit -n -c -f", shell=True, capture_output=True, text=True))',
    env: { GREETING: 'hällo' },
  },
  'signal dispositions': {
    code: 'import signal\nprint([(s, signal.getsignal(s)) for s in signal.valid_signals()])\nprint([l for l in open("/proc/self/status") if l.startswith(("Sig", "Shd"))])',
  },
  'signal dispositions of a child': {
    code: 'import subprocess\nprint(subprocess.run(["grep", "Sig", "/proc/self/status"], capture_output=True, text=True).stdout)',
  },
  'open descriptors': { code: 'import os\nprint(sorted(os.listdir("/proc/self/fd"), key=int))' },
  'resource limits': {
    code: 'import resource\nprint([(n, resource.getrlimit(getattr(resource, n))) for n in dir(resource) if n.startswith("RLIMIT_")])',
  },
  'garbage collection': {
    code: 'import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks)',
  },
  'the locale': {
    code: 'import locale, sys\nprint(locale.getlocale(), sys.getfilesystemencoding(), locale.getpreferredencoding())',
  },
  'stdin that is absent': { code: 'import sys\nprint(repr(sys.stdin.read()))' },
  'stdin that is given': { code: 'print(input(), input())\nprint(repr(input()))', stdin: 'one\ntwo\nthree' },
  'input at the end': { code: 'input()', stdin: '' },
  'dev stdout': {
    code: 'open("/dev/stdout", "w").write("to dev\\n")\nopen("/proc/self/fd/2", "w").write("to err\\n")\nprint(open("/dev/stdin").read())',
    stdin: 'typed',
  },
  'the main guard': { code: 'if __name__ == "__main__":\n    print("main")' },
  'importing main': { code: 'x = 5\nimport __main__\nprint(__main__.x)' },
  'pickling own classes': {
    code: 'import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))',
  },
  'dataclasses and typing': {
    code: 'from dataclasses import dataclass\nimport typing\n@dataclass\nclass A:\n    x: "int"\nprint(A(1), typing.get_type_hints(A))',
  },
  'inspect of own source': { code: 'import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))' },
  'multiprocessing by fork': {
    code: 'import multiprocessing as m\ndef f(x): return x * x\nif __name__ == "__main__":\n    with m.get_context("fork").Pool(2) as p: print(p.map(f, range(4)))',
  },
  'multiprocessing by spawn': {
    code: 'import multiprocessing as m\ndef f(x): return x * x\nif __name__ == "__main__":\n    with m.get_context("spawn").Pool(2) as p: print(p.map(f, range(4)))',
  },
  'fork in the program': {
    code: 'import os\npid = os.fork()\nif pid == 0:\n    print("child")\nelse:\n    os.waitpid(pid, 0)\n    print("parent")',
  },
  'a package in the work directory': {
    code: 'from pkg.sub import value\nprint(value, __import__("pkg").__file__)',
    files: { 'pkg/__init__.py': '', 'pkg/sub.py': 'value = 42' },
  },
};

/** Compared programs that need a new interpreter, with the reason. */
const FRESH: Record<string, string> = {
  'bytes that are no UTF-8': 'the code cannot be decoded',
  'NUL in the source': 'the code cannot be decoded',
};

/** Lines without what differs from one process to the next: addresses, and how many levels of the stack were left. */
function lines(text: string): string[] {
  return text
    .replace(/0x[0-9a-f]{6,}/g, '0xADDRESS')
    .replace(/line repeated 99[56] more times/, 'line repeated 99N more times')
    .split('\n');
}

describe('equal to a plain interpreter', () => {
  test.each(Object.entries(COMPARED))('%s', async (name, program) => {
    const plain = await box.plain(program);
    const spare = await box.once(program);
    expect(spare.started?.path).toBe(FRESH[name] ? 'fresh' : 'spare');
    expect(lines(spare.stderr)).toEqual(lines(plain.stderr));
    expect(lines(spare.stdout)).toEqual(lines(plain.stdout));
    expect(ending(spare)).toEqual(ending(plain));
  });
});
