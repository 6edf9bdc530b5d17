import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

/** What is said of errors, warnings and stacks: the user's lines, and nothing of Berth's. */
export const ERRORS: Record<string, FidelityProgram> = {
  'a traceback': { code: 'def f(n):\n    return 1 / n\n\nprint("before")\nf(0)\n' },
  'at the top level': { code: 'x = [1, 2]\n\nprint(x[5])' },
  'the column marks': { code: 'a = {"b": {"c": None}}\nprint(a["b"]["c"]["d"] + (1 +\n  2))' },
  chained: { code: 'try:\n    {}["a"]\nexcept KeyError as e:\n    raise ValueError("b") from e\n' },
  'during another': { code: 'try:\n    1/0\nexcept ZeroDivisionError:\n    undefined_name\n' },
  'from None': { code: 'try:\n    1/0\nexcept ZeroDivisionError:\n    raise ValueError("x") from None\n' },
  'nested in functions and context managers': {
    code: python`
      import contextlib
      @contextlib.contextmanager
      def manager():
          try: yield
          finally: raise KeyError('in finally')
      class A:
          def __enter__(self): return self
          def __exit__(self, *a): raise TypeError('in exit')
      with A(), manager():
          (lambda: [1 for _ in [0] if 1/0])()
    `,
  },
  'an exception group': {
    code: 'def f():\n    raise OSError(2, "no file", "name")\ntry: f()\nexcept OSError as e:\n    raise ExceptionGroup("g", [e, ValueError(1), ExceptionGroup("h", [TypeError(2)])])',
  },
  'except*': {
    code: 'try: raise ExceptionGroup("g", [ValueError(1), TypeError(2)])\nexcept* ValueError: raise KeyError(3)',
  },
  'a note': { code: 'e = ValueError("x")\ne.add_note("a note\\nof two lines")\nraise e' },
  suggestions: { code: 'value = 1\ntry: valeu\nexcept NameError as e: print(e.name)\nimport sys\nsys.stdot' },
  'an own exception': {
    code: 'class MyError(Exception):\n    def __str__(self): return "mine"\nclass Bad(Exception):\n    def __str__(self): 1/0\ntry: raise MyError\nexcept MyError: raise Bad',
  },
  'a long message and odd characters': { code: 'raise ValueError("ü😀\\n\\x00\\udcff" * 3)' },
  'endless recursion': { code: 'def f(n):\n    return f(n + 1)\nf(0)\n' },
  'mutual recursion': { code: 'def f(n): return g(n)\ndef g(n): return f(n)\nf(0)' },
  'recursion in repr': { code: 'class A:\n    def __repr__(self): return repr(self)\nprint(repr(A()))' },
  'out of memory': { code: 'x = bytearray(1 << 60)' },
  'in an imported file': {
    code: 'import helper\nhelper.boom()\n',
    files: { 'helper.py': 'def boom():\n    raise RuntimeError("from helper")\n' },
  },
  'while importing': {
    code: 'import helper\n',
    files: { 'helper.py': '\n\nraise RuntimeError("at import")\n' },
  },
  'in the library': { code: 'import json\njson.loads("{bad")' },
  'in exec and eval': { code: 'exec("def f():\\n  1/0\\nf()")' },
  'without a source line': { code: 'import linecache\nexec(compile("\\n\\n1/0", "nowhere.py", "exec"))' },
  'with the file removed': { code: 'import os\nos.remove(__file__)\n1/0' },
  'with the file changed': { code: 'open(__file__, "w").write("# changed\\n" * 9)\n\n1/0' },
  'in another directory': { code: 'import os\nos.chdir("/tmp")\n1/0' },
  'syntax: a missing colon': { code: 'print("never")\nif True\n    pass\n' },
  'syntax: indentation': { code: 'def f():\nreturn 1\n' },
  'syntax: tabs and spaces': { code: 'if True:\n        x = 1\n\ty = 2\n' },
  'syntax: an unclosed string': { code: 'x = "abc\n' },
  'syntax: an unclosed bracket': { code: 'x = (1,\n\nprint(x\n' },
  'syntax: an odd character': { code: 'x = 5 € 3\n' },
  'syntax: return outside of a function': { code: 'x = 1\nreturn x\n' },
  'syntax: in an f-string': { code: 'x = f"{1 +}"\n' },
  'syntax: a future that is none': { code: 'from __future__ import nothing\n' },
  'syntax: in an imported file': { code: 'import helper\n', files: { 'helper.py': 'x = 1\ndef (:\n' } },
  'syntax: too deeply nested': { code: `x = ${'('.repeat(300)}${')'.repeat(300)}\n` },
  'source that is no UTF-8': {
    files: { 'main.py': Buffer.from([0x78, 0x20, 0x3d, 0x20, 0x27, 0xff, 0x27, 0x0a]) },
    entry: 'main.py',
    fresh: /cannot be decoded/,
  },
  'source with a NUL': { code: 'x = 1\0\n', fresh: /cannot be decoded/ },
  'source of an unknown encoding': { code: '# coding: klingon\nprint(1)\n', fresh: /cannot be decoded/ },
  'a syntax warning': { code: 'x = 1\nif x is 1: print("same")\nassert (x, "always")\nprint("\\d")\n' },
  warnings: {
    code: python`
      import warnings
      warnings.warn('careful')
      for _ in range(3): warnings.warn('old', DeprecationWarning)
      def f(): warnings.warn('of the caller', stacklevel=2)
      f(); f()
      warnings.warn('beyond the stack', stacklevel=9)
      warnings.simplefilter('error')
      warnings.warn('raised')
    `,
  },
  'a resource warning': {
    code: 'import warnings\nwarnings.simplefilter("always")\nopen("/dev/null")\nprint("x")',
  },
  'an own excepthook': {
    code: 'import sys\nsys.excepthook = lambda *a: print("hook", a[0].__name__, a[2].tb_lineno, a[2].tb_next)\n1/0',
  },
  'a failing excepthook': {
    code: 'import sys\ndef hook(*a): raise ValueError("in hook")\nsys.excepthook = hook\n1/0',
  },
  'an exit in the excepthook': { code: 'import sys\ndef hook(*a): sys.exit(9)\nsys.excepthook = hook\n1/0' },
  'no excepthook': { code: 'import sys\ndel sys.excepthook\n1/0' },
  tracebacklimit: { code: 'import sys\nsys.tracebacklimit = 1\ndef f(): g()\ndef g(): 1/0\nf()' },
  'sys.last_value at exit': {
    code: 'import atexit, sys\natexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_lineno))\n1/0',
  },
  'in a thread': {
    code: 'import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start(); t.join()\nprint("main goes on")',
  },
  'an own threading.excepthook': {
    code: 'import threading\nthreading.excepthook = lambda a: print(a.exc_type, a.thread.name)\nt = threading.Thread(target=lambda: 1/0)\nt.start(); t.join()',
  },
  'SystemExit in a thread': {
    code: 'import sys, threading\nt = threading.Thread(target=lambda: sys.exit(5))\nt.start(); t.join()\nprint("main goes on")',
  },
  'in atexit': {
    code: 'import atexit\natexit.register(print, "last")\natexit.register(lambda: 1/0)\ndef f(): raise ValueError("named")\natexit.register(f)\nprint("main")',
  },
  'SystemExit in atexit': { code: 'import atexit, sys\natexit.register(lambda: sys.exit(7))\nprint("main")' },
  'in __del__': { code: 'class A:\n    def __del__(self): raise ValueError("x")\nA()\nprint("main")' },
  'in __del__ at the end': {
    code: 'class A:\n    def __del__(self): raise ValueError("x")\na = A()\nprint("main")',
  },
  'in a weakref callback': {
    code: 'import weakref\nclass A: pass\na = A()\nr = weakref.ref(a, lambda _: 1/0)\ndel a\nprint("main")',
  },
  'in a generator that is closed': {
    code: 'def g():\n    try: yield 1\n    finally: 1/0\nx = g(); next(x); del x\nprint("main")',
  },
  'an own unraisablehook': {
    code: 'import sys\nsys.unraisablehook = lambda u: print(u.exc_type, u.err_msg, u.object.__name__)\nclass A:\n    def __del__(self): 1/0\nA()',
  },
  'a coroutine never awaited': { code: 'async def f(): pass\nf()\nprint("main")' },
  'a task that fails': {
    code: 'import asyncio\nasync def f(): 1/0\nasync def main(): await asyncio.gather(f())\nasyncio.run(main(), debug=False)',
  },
  'a task whose error nobody takes': {
    code: 'import asyncio, gc\nasync def f(): 1/0\nasync def main():\n    t = asyncio.create_task(f(), name="t")\n    await asyncio.sleep(0.01)\n    del t\n    gc.collect()\nasyncio.run(main())',
  },
  'a task group': {
    code: 'import asyncio\nasync def f(): raise ValueError(1)\nasync def main():\n    async with asyncio.TaskGroup() as g: g.create_task(f())\nasyncio.run(main())',
  },
  'in a pool of threads': {
    code: 'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as p: p.submit(lambda: 1/0).result()',
  },
  'the traceback module': {
    code: python`
      import sys, traceback
      def f(): g()
      def g(): raise ValueError('x')
      try: f()
      except ValueError as error:
          traceback.print_exc()
          print(traceback.format_exception(error), traceback.extract_tb(error.__traceback__))
          print(traceback.TracebackException.from_exception(error, capture_locals=True).stack[-1].locals)
      traceback.print_stack(file=sys.stdout)
      print(traceback.extract_stack())
    `,
  },
  logging: {
    code: python`
      import logging
      logging.warning('no handler yet %s', 1)
      logging.basicConfig(level=logging.DEBUG, format='%(levelname)s %(name)s %(module)s %(funcName)s %(lineno)d %(pathname)s %(processName)s %(threadName)s %(message)s')
      def f():
          logging.getLogger('a.b').info('x', stack_info=True)
          logging.getLogger('a').warning('of the caller', stacklevel=2)
      f()
      logging.warning('at the top', stacklevel=3)
      try: 1/0
      except ZeroDivisionError: logging.exception('caught')
      logging.error('%d', 'not a number')
    `,
  },
  unittest: {
    code: python`
      import unittest
      class T(unittest.TestCase):
          def test_right(self): self.assertEqual(1, 1)
          def test_wrong(self): self.assertEqual([1], [2])
          def test_error(self): 1/0
          @unittest.skip('why')
          def test_skipped(self): pass
          def test_sub(self):
              for i in range(2):
                  with self.subTest(i=i): self.assertEqual(i, 0)
          def _formatMessage(self, msg, standardMsg): return super()._formatMessage(msg, standardMsg)
      class Result(unittest.TextTestResult): pass
      runner = unittest.TextTestRunner(verbosity=2)
      import time
      time.perf_counter = lambda: 0.0
      unittest.main(testRunner=runner, argv=['main.py'])
    `,
  },
  doctest: {
    code: '"""\n>>> 1 + 1\n3\n>>> 1/0\nTraceback (most recent call last):\n    ...\nZeroDivisionError: division by zero\n"""\nimport doctest\nprint(doctest.testmod())',
  },
};
