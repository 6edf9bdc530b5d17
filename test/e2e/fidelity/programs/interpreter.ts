import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

const GREETING = { GREETING: 'hällo', EMPTY: '' };

/** What a program sees of the interpreter and of its own module. */
export const INTERPRETER: Record<string, FidelityProgram> = {
  'sys.argv and sys.orig_argv': {
    code: 'import sys\nprint(sys.argv, sys.orig_argv)',
    args: ['a', '--b', 'ü c', '', '-'],
  },
  'sys.path and prefixes': {
    code: python`
      import sys
      print(sys.path, sys.path_hooks, sys.meta_path)
      print(sys.executable, sys._base_executable, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.platlibdir)
      print([path for path in sys.path_importer_cache if not path.startswith('/usr')])
    `,
  },
  'the entry in a folder': {
    files: {
      'app/start.py': 'import sys, beside\nprint(sys.path[0], __file__, beside.__file__, sys.argv)',
      'app/beside.py': '',
    },
    entry: 'app/start.py',
  },
  'another working directory': {
    code: 'import os, sys\nprint(os.getcwd(), __file__, sys.path[0], os.listdir())',
    cwd: '/tmp',
  },
  'sys.flags and options': {
    code: python`
      import sys
      print(sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.pycache_prefix)
      print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.implementation, sys.version, sys.hexversion)
      print(sys.gettrace(), sys.getprofile(), sys.get_asyncgen_hooks(), sys.is_finalizing(), sys.thread_info)
      print(sys.get_int_max_str_digits(), sys.float_info, sys.hash_info, sys.getdlopenflags())
      print(sys.excepthook, sys.displayhook, sys.unraisablehook, sys.breakpointhook, sys.tracebacklimit if hasattr(sys, 'tracebacklimit') else 'no limit')
      print([name for name in ('last_type', 'last_value', 'last_traceback', 'ps1', 'ps2', 'exitfunc') if hasattr(sys, name)])
    `,
  },
  'the names in sys': { code: 'import sys\nprint(sorted(vars(sys)))' },
  'the main module': {
    code: python`
      """The docstring."""
      print(list(globals()))
      print(__name__, __file__, __spec__, __package__, __doc__, __cached__, __annotations__)
      print(type(__loader__), vars(__loader__), __loader__.get_filename('__main__'), __loader__.is_package('__main__'))
      import sys
      print(sys.modules['__main__'].__dict__ is globals(), __builtins__, sys.modules['__main__'])
      print(__loader__.get_source('__main__')[:20])
    `,
  },
  'annotations of the main module': { code: 'x: int = 1\ny: str\nprint(__annotations__)' },
  'builtins and site': {
    code: python`
      import builtins
      print(sorted(vars(builtins)))
      print(exit, quit, copyright.__class__, help, license.__class__, credits.__class__, __debug__)
      exit('from exit()')
    `,
  },
  'import __main__ and import main': {
    code: python`
      x = 5
      print('run as', __name__)
      if __name__ == '__main__':
          import __main__, main
          print(__main__.x, main.x, main is __main__, main.__name__, main.__file__, main.__cached__, main.__spec__.origin)
          import importlib
          print(importlib.reload(main) is main)
          try:
              importlib.reload(__main__)
          except Exception as error:
              print(type(error), error)
          import os
          print(sorted(os.listdir()), sorted(os.listdir('__pycache__')))
    `,
  },
  'runpy of itself': {
    code: "import runpy, sys\nif __name__ == '__main__': print(sorted(k for k in runpy.run_path('main.py', run_name='other')))",
  },
  'modules in the work directory': {
    code: python`
      import pkg, pkg.sub, single
      from pkg.deep import value
      print(value, pkg.__file__, pkg.__path__, pkg.sub.__spec__, single.__cached__, pkg.__spec__.submodule_search_locations)
      import importlib.resources, pkgutil
      print(pkgutil.get_data('pkg', 'data.txt'), importlib.resources.files('pkg').joinpath('data.txt').read_text())
      print([module.name for module in pkgutil.iter_modules(['/workspace'])])
      try:
          import nothing_of_this_name
      except ModuleNotFoundError as error:
          print(error, error.name, error.path)
    `,
    files: {
      'pkg/__init__.py': '',
      'pkg/sub.py': '',
      'pkg/deep/__init__.py': 'value = 42',
      'pkg/data.txt': 'data',
      'single.py': '',
    },
  },
  'a file written and imported': {
    code: python`
      open('late.py', 'w').write('value = 1\n')
      import late
      print(late.value, late.__cached__)
    `,
  },
  'a module that shadows the library': {
    code: 'import json, colorsys\nprint(json.__file__, json.mine, colorsys.mine)',
    files: { 'json.py': 'mine = 1', 'colorsys.py': 'mine = 2' },
    fresh: /json\.py shadows/,
  },
  'a package that shadows the library': {
    code: 'import random\nprint(random.__file__, random.mine)',
    files: { 'random/__init__.py': 'mine = 1' },
    fresh: /random shadows/,
  },
  'the entry is called like a module': {
    files: { 'random.py': 'import random, sys\nprint(__name__, random.__file__, sys.argv)' },
    entry: 'random.py',
    fresh: /random\.py shadows/,
  },
  'sitecustomize and usercustomize in the work directory': {
    code: 'import sys\nprint("sitecustomize" in sys.modules, "usercustomize" in sys.modules)',
    files: {
      'sitecustomize.py': 'print("never")',
      'usercustomize.py': 'print("never")',
      'x.pth': 'import os; print("never")',
    },
  },
  'the environment': {
    code: python`
      import os
      print(sorted((k, v) for k, v in os.environ.items() if k != 'HOSTNAME'))
      print(sorted(k for k in os.environb), os.getenv('GREETING'), os.environ == dict(os.environ), os.get_exec_path())
    `,
    env: GREETING,
  },
  'the environment of a child and of C': {
    code: python`
      import ctypes, os, subprocess
      print(subprocess.run(['sh', '-c', 'echo $GREETING; env | grep -v HOSTNAME | sort'], capture_output=True, text=True))
      getenv = ctypes.CDLL(None).getenv
      getenv.restype = ctypes.c_char_p
      print(getenv(b'GREETING'), getenv(b'PATH'))
      print(open('/proc/self/environ').read().count('PATH='))
    `,
    env: GREETING,
  },
  'PYTHON variables': {
    code: 'import sys, os\nprint(sys.flags, sys.path[1], sys.warnoptions, hash("x"), os.environ["PYTHONHASHSEED"])',
    env: { PYTHONHASHSEED: '7', PYTHONPATH: '/tmp/lib', PYTHONWARNINGS: 'error', PYTHONOPTIMIZE: '1' },
    fresh: /env PYTHON/,
  },
  'another locale': {
    code: 'import locale, sys\nprint(locale.getlocale(), sys.getfilesystemencoding(), sys.stdout.encoding, sys.flags.utf8_mode)',
    env: { LC_ALL: 'POSIX' },
    fresh: /env LC_ALL/,
  },
  'a time zone': {
    code: 'import time, datetime\nprint(time.tzname, time.localtime(0), datetime.datetime.fromtimestamp(0))',
    env: { TZ: 'Europe/Berlin' },
  },
  'another HOME': {
    code: 'import os.path, pathlib\nprint(os.path.expanduser("~"), pathlib.Path.home())',
    env: { HOME: '/tmp/home' },
  },
  'another TMPDIR': {
    code: 'import os, tempfile\nos.mkdir("/workspace/t")\nprint(tempfile.gettempdir())',
    env: { TMPDIR: '/workspace' },
  },
  'locale and encodings': {
    code: python`
      import codecs, locale, os, sys
      print(locale.getlocale(), locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), locale.getencoding(), locale.localeconv())
      print(locale.setlocale(locale.LC_ALL, ''), locale.getlocale(locale.LC_NUMERIC))
      print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
      print(open('x', 'w').encoding, codecs.lookup('utf-8'), os.fsencode('ü\udcff'))
      open('ü.txt', 'w').close()
      print(sorted(os.listdir()), sorted(os.listdir(b'.')))
      try:
          locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')
      except locale.Error as error:
          print(error)
    `,
  },
  'garbage collection': {
    code: python`
      import gc, weakref
      print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage)
      class A: pass
      a = A(); a.me = a; r = weakref.ref(a); del a
      print(r() is None, gc.collect() > 0, r() is None)
      class B: pass
      b = B()
      print(any(o is b for o in gc.get_objects()), gc.is_tracked(b), len(gc.get_referrers(b)) > 0)
      for i in range(3000): x = B(); x.me = x
      print(gc.get_stats()[0].keys())
    `,
  },
  'reference counts': {
    code: python`
      import sys
      a = []
      print(sys.getrefcount(a), sys.getrefcount(object()), sys.getrefcount(sys.modules['__main__']) < 20)
      def f(x): return sys.getrefcount(x)
      print(f(object()), f(a))
    `,
  },
  'interned strings and small integers': {
    code: 'import sys\na = "ab"; b = "".join(["a", "b"])\nprint(a is b, sys.intern(b) is a, 256 is int("256"), 257 is int("257"))',
  },
  'the frames below': {
    code: python`
      import inspect, sys, traceback
      def depth():
          frame, n = sys._getframe(), 0
          while frame: frame, n = frame.f_back, n + 1
          return n
      print(depth(), [f.function for f in inspect.stack()], sys._getframe().f_back)
      def f(): traceback.print_stack()
      f()
      try: sys._getframe(1)
      except ValueError as error: print(error)
      frame = sys._getframe()
      print(frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno, frame.f_locals is globals(), frame.f_globals is globals())
      print(frame.f_builtins is vars(__builtins__), frame.f_code.co_flags, sys._current_frames().keys() == {__import__('threading').get_ident()})
    `,
  },
  'the depth that can be reached': {
    code: python`
      import sys
      def deep(n=1):
          try: return deep(n + 1)
          except RecursionError: return n
      print(deep())
      for limit in (50, 5000, 30000):
          sys.setrecursionlimit(limit)
          print(deep())
    `,
  },
  'the depth in C': {
    code: python`
      import json, re, copy
      nested = []
      for _ in range(10**5): nested = [nested]
      for work in (lambda: json.dumps(nested), lambda: repr(nested), lambda: nested == [nested], lambda: copy.deepcopy(nested), lambda: json.loads('[' * 10**5), lambda: eval('(' * 10**4)):
          try: work()
          except (RecursionError, MemoryError, SyntaxError) as error: print(type(error), error)
    `,
  },
  'source and frames by inspect': {
    code: python`
      import inspect, linecache
      def f():
          # a comment
          return 1
      class A:
          def method(self): pass
      print(inspect.getsource(f), inspect.getsource(A), inspect.getcomments(f), inspect.getsourcefile(f), inspect.getmodule(f))
      print(linecache.getline(__file__, 2), inspect.getsourcelines(f)[1])
      print(inspect.getsource(inspect.getmodule(f)) == open(__file__).read())
    `,
  },
  'tracing and profiling': {
    code: python`
      import sys, cProfile, pstats, io
      seen = []
      def trace(frame, event, arg):
          seen.append((frame.f_code.co_name, event, frame.f_lineno))
          return trace
      def f():
          x = 1
          return x
      sys.settrace(trace); f(); sys.settrace(None)
      print(seen)
      seen.clear()
      sys.setprofile(lambda frame, event, arg: seen.append((frame.f_code.co_name, event))); f(); sys.setprofile(None)
      print(seen)
      profile = cProfile.Profile(); profile.runcall(f)
      out = io.StringIO(); pstats.Stats(profile, stream=out).print_stats('main')
      print([line.split()[0] for line in out.getvalue().splitlines() if 'main.py' in line])
    `,
  },
  'a trace function that stays': {
    code: python`
      import sys, threading
      def trace(frame, event, arg):
          if not frame.f_code.co_filename.startswith('/usr'):
              print(event, frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno)
          return trace
      def f(): return 1
      import atexit
      atexit.register(f)
      sys.settrace(trace)
      f()
    `,
  },
  'audit hooks': {
    code: python`
      import sys
      events = []
      sys.addaudithook(lambda event, args: events.append(event) if len(events) < 100 else None)
      open('x', 'w').close()
      eval('1'); compile('1', 'a', 'exec')
      print(events)
    `,
  },
  'tracemalloc and faulthandler': {
    code: python`
      import faulthandler, sys, tracemalloc
      print(faulthandler.is_enabled(), tracemalloc.is_tracing())
      tracemalloc.start(5)
      data = [bytes(1000) for _ in range(100)]
      top = tracemalloc.take_snapshot().statistics('lineno')[0]
      print(top.traceback, top.count)
      print(tracemalloc.get_object_traceback(data[0]))
      def f(): faulthandler.dump_traceback()
      f()
    `,
  },
  'the memory of objects': {
    code: 'import sys\nclass A: pass\nprint(sys.getsizeof([]), sys.getsizeof(A()), sys.getsizeof({}), sys.getsizeof(""), type(sys.getallocatedblocks()))',
  },
  'types and caches are as at the start': {
    code: python`
      import re, functools, warnings, linecache, sys, typing
      print(warnings.filters, warnings.onceregistry, warnings.showwarning, warnings.defaultaction)
      print(linecache.cache)
      print(len(__import__('threading').enumerate()), __import__('threading').active_count(), __import__('logging').root.handlers)
      print(__import__('decimal').getcontext(), __import__('atexit')._ncallbacks(), __import__('signal').getitimer(0), __import__('weakref'))
    `,
  },
  'byte code files are not written for main': { code: 'import os\nprint(sorted(os.listdir()))' },
  'a very long line and many lines': {
    code: `x = [${'1, '.repeat(20_000)}]\n${'x.append(1)\n'.repeat(5_000)}print(len(x))\n`,
  },
  'a coding cookie': {
    files: {
      'main.py': Buffer.from(
        '# -*- coding: latin-1 -*-\nprint(ascii("\xe9"), __doc__)\n1/0 # \xe9\n',
        'latin1',
      ),
    },
    entry: 'main.py',
  },
  'a BOM': { code: '\ufeffprint("bom", "ü")\nraise ValueError("ü")\n' },
  'CRLF and form feeds': {
    code: 'if True:\r\n\tprint("tab")\r\n\f\r\nx = """a\r\nb"""\r\nprint(repr(x))\r\n1/0\r\n',
  },
  'no newline at the end': { code: 'print("x")\nif True:\n    1/0' },
  'a shebang': { code: '#!/usr/bin/env python3\nprint(open(__file__).readline())' },
  'only a comment': { code: '# nothing\n' },
  'future imports': {
    code: 'from __future__ import annotations\ndef f(x: undefined) -> also: pass\nprint(f.__annotations__, annotations)\nexec("print(f.__code__.co_flags)")\nprint(compile("1", "a", "eval").co_flags)',
  },
  'assertions, dis and bytecode': {
    code: 'import dis\ndef f(x):\n    assert x, "no"\n    return x\ndis.dis(f)\nf(0)',
  },
};
