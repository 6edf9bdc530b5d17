import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

/** How a program comes to its end, and what still runs then. */
export const ENDS: Record<string, FidelityProgram> = {
  'by running out': { code: 'print("x")' },
  'sys.exit()': { code: 'import sys\nprint("x")\nsys.exit()' },
  'sys.exit(3)': { code: 'import sys; sys.exit(3)' },
  'sys.exit(True)': { code: 'import sys; sys.exit(True)' },
  'sys.exit(-1)': { code: 'import sys; sys.exit(-1)' },
  'sys.exit(256)': { code: 'import sys; sys.exit(256)' },
  'sys.exit(1 << 40)': { code: 'import sys; sys.exit((1 << 40) + 7)' },
  'sys.exit(1 << 70)': { code: 'import sys; sys.exit(1 << 70)' },
  'sys.exit(2.0)': { code: 'import sys; sys.exit(2.0)' },
  'sys.exit of a text': { code: 'import sys\nprint("out")\nsys.exit("the message ü")' },
  'sys.exit of a tuple': { code: 'raise SystemExit((1, "two"))' },
  'sys.exit of two arguments': { code: 'raise SystemExit(1, 2)' },
  'SystemExit without arguments': { code: 'raise SystemExit' },
  'a subclass of SystemExit': { code: 'class Leave(SystemExit):\n    code = 9\nraise Leave("ignored")' },
  'SystemExit whose code cannot be shown': {
    code: 'class Bad:\n    def __str__(self): 1/0\nraise SystemExit(Bad())',
  },
  'SystemExit from another exception': {
    code: 'try: 1/0\nexcept ZeroDivisionError as e: raise SystemExit(4) from e',
  },
  'quit and exit': { code: 'quit(6)' },
  'os._exit with what is not flushed': {
    code: 'import atexit, os\natexit.register(print, "never")\nprint("lost")\nos._exit(7)',
  },
  'os.abort': { code: 'import os\nprint("kept", flush=True)\nprint("lost")\nos.abort()' },
  'SIGKILL of itself': {
    code: 'import os, signal\nprint("kept", flush=True)\nos.kill(os.getpid(), signal.SIGKILL)',
  },
  'SIGTERM of itself': {
    code: 'import atexit, os, signal\natexit.register(print, "never")\nprint("lost")\nos.kill(os.getpid(), signal.SIGTERM)',
  },
  SIGSEGV: { code: 'import ctypes; ctypes.string_at(0)' },
  'SIGSEGV with faulthandler': {
    code: 'import ctypes, faulthandler\nfaulthandler.enable()\ndef f(): ctypes.string_at(0)\nf()',
  },
  'SIGINT of itself': {
    code: 'import os, signal, time\nprint("x")\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\nprint("never")',
  },
  'SIGINT caught': {
    code: 'import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)\nexcept KeyboardInterrupt as e: print(repr(e))',
  },
  'raise KeyboardInterrupt': {
    code: 'import atexit\natexit.register(print, "at exit")\ndef f():\n    raise KeyboardInterrupt("why")\nf()',
  },
  'KeyboardInterrupt in a thread': {
    code: 'import threading\ndef f(): raise KeyboardInterrupt\nt = threading.Thread(target=f)\nt.start(); t.join()\nprint("main")',
  },
  'KeyboardInterrupt under asyncio': {
    code: 'import asyncio, os, signal\nasync def main():\n    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)\n    try: await asyncio.sleep(5)\n    finally: print("cancelled")\nasyncio.run(main())',
  },
  'KeyboardInterrupt with an own excepthook': {
    code: 'import sys\nsys.excepthook = lambda *a: print("hook")\nraise KeyboardInterrupt',
  },
  'SIGALRM unhandled': { code: 'import signal, time\nsignal.alarm(1)\ntime.sleep(5)' },
  'SIGPIPE restored': {
    code: 'import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\nr, w = os.pipe(); os.close(r)\nos.write(w, b"x")',
  },
  'raised by a handler': {
    code: 'import os, signal\ndef handler(number, frame): raise ValueError(number, frame.f_code.co_name, frame.f_lineno)\nsignal.signal(signal.SIGUSR1, handler)\nos.kill(os.getpid(), signal.SIGUSR1)\nprint("never")',
  },
  'sys.exit in a handler': {
    code: 'import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(8))\nos.kill(os.getpid(), signal.SIGTERM)\nprint("never")',
  },
  'an alarm during the end': {
    code: 'import atexit, signal, time\nsignal.signal(signal.SIGALRM, lambda *a: print("alarm"))\ndef last():\n    signal.setitimer(signal.ITIMER_REAL, 0.02); time.sleep(0.1); print("last")\natexit.register(last)',
  },
  'the order of atexit functions': {
    code: python`
      import atexit
      atexit.register(print, 'first registered')
      @atexit.register
      def second(): print('second'); atexit.register(print, 'registered at exit')
      def gone(): print('never')
      atexit.register(gone); atexit.unregister(gone)
      print('main', atexit._ncallbacks())
    `,
  },
  'atexit after an error and with sys.exit': {
    code: 'import atexit, sys\natexit.register(print, "at exit", file=sys.stderr)\ntry: sys.exit(3)\nfinally: print("finally")',
  },
  'atexit._run_exitfuncs by hand': {
    code: 'import atexit\natexit.register(print, "once")\natexit._run_exitfuncs()\nprint("main")',
  },
  'threads, then atexit, then finalizers': {
    code: python`
      import atexit, threading, time
      class A:
          def __del__(self): print('del')
      a = A()
      atexit.register(print, 'atexit')
      def f(): time.sleep(0.05); print('thread'); threading.Thread(target=print, args=('thread of a thread',)).start()
      threading.Thread(target=f).start()
      threading._register_atexit(print, 'threading atexit')
      print('main')
    `,
  },
  'threads outlive an error': {
    code: 'import threading, time\ndef f():\n    time.sleep(0.05); print("thread")\nthreading.Thread(target=f).start()\n1/0',
  },
  'the main thread at the end': {
    code: python`
      import threading, time
      def f():
          main = threading.main_thread()
          main.join()
          print(main.is_alive(), threading.current_thread().daemon, [t.name for t in threading.enumerate()])
      threading.Thread(target=f, name='other').start()
    `,
  },
  'daemon threads are cut off': {
    code: 'import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint("main")',
  },
  'a daemon thread that prints': {
    code: 'import threading, time\ne = threading.Event()\ndef f():\n    while True: e.set(); time.sleep(0.001)\nthreading.Thread(target=f, daemon=True).start()\ne.wait()\nprint("main")',
  },
  'an exit while a thread runs': {
    code: 'import sys, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()\nsys.exit(2)',
  },
  'finalizers of globals': {
    code: python`
      class A:
          def __init__(self, name): self.name = name
          def __del__(self): print('del', self.name, type(self).__name__, print is not None)
      a = A('a'); _b = A('_b'); c = A('c')
      holder = [A('in a list')]
      def f(x=A('default')): pass
      A.attribute = 1
      print('main')
    `,
  },
  'finalizers of cycles': {
    code: 'class A:\n    def __del__(self): print("del")\na = A(); a.me = a\nb = A(); b.me = b\ndel b\nprint("main")',
  },
  'weakref.finalize': {
    code: 'import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, "finalized")\nprint("main")',
  },
  'finalizers of an imported module': {
    code: 'import helper\nprint("main")',
    files: { 'helper.py': 'class A:\n    def __del__(self): print("del in helper")\na = A()' },
  },
  'finalizers that import': {
    code: 'class A:\n    def __del__(self):\n        import sys\n        print("del", sys.is_finalizing())\na = A()',
  },
  'an object kept by a library module': {
    code: 'import json\nclass A:\n    def __del__(self): print("del")\njson.kept = A()\nprint("main")',
  },
  'an object kept by builtins and sys': {
    code: 'import builtins, sys\nclass A:\n    def __init__(self, n): self.n = n\n    def __del__(self): print("del", self.n)\nbuiltins.kept = A("builtins"); sys.kept = A("sys")\nprint("main")',
  },
  'an object kept by a function of the library': {
    code: 'import functools\nclass A:\n    def __del__(self): print("del")\n@functools.lru_cache\ndef f(x): return x\nf(A())\nprint("main")',
  },
  'finalizers after an error': {
    code: 'class A:\n    def __del__(self): print("del")\ndef f():\n    a = A()\n    1/0\nf()',
  },
  'a generator that is suspended': {
    code: 'def g():\n    try: yield 1\n    finally: print("closed")\nx = g(); next(x)\nprint("main")',
  },
  'an async generator that is suspended': {
    code: 'import asyncio\nasync def g():\n    try: yield 1\n    finally: print("closed")\nasync def main():\n    async for _ in g(): break\nasyncio.run(main())',
  },
  'temporary directories are removed': {
    code: 'import atexit, os, tempfile\nt = tempfile.TemporaryDirectory()\nprint(os.path.isdir(t.name))\nclass A:\n    def __del__(self): print("del")\na = A()',
  },
  'an executor at the end': {
    code: 'import concurrent.futures, time\np = concurrent.futures.ThreadPoolExecutor(2)\np.submit(lambda: (time.sleep(0.05), print("done")))\nprint("main")',
  },
  'logging at the end': {
    code: 'import logging.handlers\nh = logging.handlers.MemoryHandler(10, target=logging.StreamHandler())\nlogging.root.addHandler(h)\nlogging.warning("kept until the end")\nprint("main")',
  },
  'a child that outlives it and holds the pipes': {
    code: 'import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)\nprint("main")',
  },
  'a child killed': {
    code: 'import os, signal, time\npid = os.fork()\nif pid == 0: time.sleep(60)\nos.kill(pid, signal.SIGKILL)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))',
  },
  'os.execv': {
    code: 'import os, sys\nprint("before", flush=True)\nos.execv(sys.executable, ["python3", "-c", "import sys; print(sys.argv, sys.flags.isolated); sys.exit(5)"])',
  },
  'os.exec of another program': { code: 'import os\nos.execlp("sh", "sh", "-c", "echo $0; exit 9")' },
  'exit in a forked child': {
    code: 'import atexit, os, sys\natexit.register(print, "at exit of", "both")\nif os.fork() == 0: print("child"); sys.exit(3)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))',
  },
  'an error in a forked child': {
    code: 'import os\nif os.fork() == 0:\n    raise ValueError("in the child")\nprint(os.waitstatus_to_exitcode(os.wait()[1]))',
  },
  'os.execv with PYTHONINSPECT set by itself': {
    code: 'import os\nos.environ["PYTHONINSPECT"] = "1"\nprint("main")',
    stdin: 'print(1 + 1)\n',
  },
};
