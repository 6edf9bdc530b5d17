import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

/** The standard library, where a warm parent could show. */
export const LIBRARY: Record<string, FidelityProgram> = {
  'random from a seed': {
    code: 'import random\nrandom.seed(5)\nprint(random.random(), random.choice(range(100)), random.Random(1).random())',
  },
  'decimal contexts': {
    code: 'from decimal import *\nimport threading\nprint(getcontext(), DefaultContext, BasicContext)\ngetcontext().prec = 5\nprint(Decimal(1) / 3)\nt = threading.Thread(target=lambda: print(getcontext().prec)); t.start(); t.join()',
  },
  'json, re, datetime, collections, math': {
    code: python`
      import collections, datetime, json, math, re, statistics, string, textwrap, itertools, functools, heapq, bisect, fractions, enum, struct
      print(json.dumps({'a': [1.5, None, True, 'ü'], 'b': datetime.date(2020, 2, 29)}, default=str, indent=1))
      print(re.findall(r'(?i)\b(\w+)\s+\1\b', 'The the cat cat'), re.compile('a+'), re.compile(r'\d+').sub(lambda m: str(int(m[0]) * 2), '1 22'))
      print(collections.Counter('hello').most_common(2), collections.OrderedDict(a=1), collections.namedtuple('P', 'x y')(1, 2), collections.ChainMap({}, {'a': 1}))
      print(math.pi, statistics.stdev([1, 2, 4]), fractions.Fraction(1, 3), list(itertools.permutations([1, 2, 3]))[:2], functools.reduce(lambda a, b: a * b, range(1, 6)))
      class Colour(enum.Enum): RED = 1
      print(Colour.RED, struct.pack('<I', 5), heapq.nsmallest(2, [3, 1, 2]), bisect.bisect([1, 3], 2), textwrap.dedent('  x'))
    `,
  },
  'dataclasses, typing, abc and generics': {
    code: python`
      import abc, dataclasses, typing, types
      @dataclasses.dataclass(order=True, slots=True, frozen=True)
      class A:
          x: int
          y: 'list[int]' = dataclasses.field(default_factory=list)
      print(A(1), dataclasses.asdict(A(1)), typing.get_type_hints(A), A.__module__, A.__qualname__)
      class P(typing.Protocol):
          def f(self) -> int: ...
      T = typing.TypeVar('T')
      class G(typing.Generic[T]): pass
      print(G[int], typing.Optional[int], G.__parameters__, T)
      class B(abc.ABC):
          @abc.abstractmethod
          def f(self): pass
      try: B()
      except TypeError as error: print(error)
      N = typing.NamedTuple('N', [('a', int)]); print(N(1), N.__module__)
      print(types.SimpleNamespace(a=1), B.__subclasses__(), [c for c in object.__subclasses__() if c.__module__ == '__main__'])
    `,
  },
  'pickling of the own classes': {
    code: 'import pickle, copy\nclass A:\n    def __init__(self): self.x = 1\ndef f(): pass\nprint(pickle.loads(pickle.dumps(A())).x, pickle.dumps(f), pickle.dumps(A), copy.deepcopy(A()).x)\ntry: pickle.dumps(lambda: 1)\nexcept Exception as error: print(error)',
  },
  'shelve and a second run of pickle': {
    code: 'import shelve\nclass A: pass\nwith shelve.open("s") as s: s["a"] = A()\nwith shelve.open("s") as s: print(type(s["a"]))',
  },
  asyncio: {
    code: python`
      import asyncio, sys
      async def f(n):
          await asyncio.sleep(0.01 * n); return n
      async def main():
          print(await asyncio.gather(f(2), f(1)), asyncio.current_task().get_name(), type(asyncio.get_running_loop()))
          p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1); print(await p.communicate(b'x'), p.returncode)
          print(await asyncio.to_thread(lambda: 5), await asyncio.get_running_loop().run_in_executor(None, len, 'abc'))
          async def echo(r, w): w.write(await r.readline()); await w.drain(); w.close()
          server = await asyncio.start_server(echo, '127.0.0.1', 0)
          r, w = await asyncio.open_connection(*server.sockets[0].getsockname()); w.write(b'hi\n'); print(await r.readline()); w.close(); server.close()
          try: await asyncio.wait_for(asyncio.sleep(5), 0.01)
          except TimeoutError as error: print(repr(error))
      asyncio.run(main())
      print(asyncio.get_event_loop_policy().__class__, asyncio.get_child_watcher().__class__ if sys.version_info < (3, 12) else '')
      try: asyncio.get_running_loop()
      except RuntimeError as error: print(error)
    `,
  },
  'asyncio: get_event_loop without one': {
    code: 'import asyncio, warnings\nwarnings.simplefilter("always")\nl = asyncio.get_event_loop()\nprint(l)\nl.run_until_complete(asyncio.sleep(0))',
  },
  sqlite3: {
    code: 'import sqlite3\nwith sqlite3.connect("x.db") as c:\n    c.execute("create table t (a)"); c.executemany("insert into t values (?)", [(1,), (2,)])\n    print(c.execute("select sum(a) from t").fetchall(), sqlite3.threadsafety)',
  },
  'ssl, hashlib, hmac, secrets': {
    code: 'import ssl, hashlib, hmac, secrets, zlib\nprint(ssl.OPENSSL_VERSION, ssl.create_default_context().cert_store_stats(), hashlib.sha256(b"x").hexdigest(), hmac.new(b"k", b"m", "md5").hexdigest(), len(secrets.token_bytes()), zlib.crc32(b"x"))',
  },
  'uuid, urandom and getrandom': {
    code: 'import os, uuid\nprint(len(os.urandom(8)), uuid.uuid4().version, uuid.uuid5(uuid.NAMESPACE_DNS, "x"), len(os.getrandom(4)), uuid.uuid4() != uuid.uuid4())',
  },
  'tempfile defaults': {
    code: 'import os, tempfile\nprint(tempfile.gettempdir(), tempfile.tempdir, tempfile.gettempprefix())\nwith tempfile.NamedTemporaryFile("w+") as f: print(oct(os.stat(f.name).st_mode), f.encoding, os.path.dirname(f.name))\nwith tempfile.TemporaryDirectory() as d: print(oct(os.stat(d).st_mode), os.listdir("/tmp") != [])',
  },
  'ctypes and _ctypes': {
    code: 'import ctypes, _ctypes\nprint(ctypes.c_int(5), ctypes.sizeof(ctypes.c_long), _ctypes.__file__, [c for c in _ctypes._SimpleCData.__subclasses__() if c.__module__ == "__main__"])\n@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)\ndef callback(x): return x + 1\nprint(callback(1))\n@ctypes.CFUNCTYPE(None)\ndef bad(): 1/0\nbad()',
  },
  'modules that Berth uses itself': {
    code: 'import sys\nbefore = [m in sys.modules for m in ("_ctypes", "_socket", "resource", "socket", "ctypes")]\nimport socket, resource, atexit, types\nprint(before, socket.socket.__mro__, resource.__name__, atexit._ncallbacks(), socket.getdefaulttimeout(), socket._GLOBAL_DEFAULT_TIMEOUT.__class__)',
  },
  'the import system': {
    code: python`
      import importlib, importlib.util, sys
      class Finder:
          @staticmethod
          def find_spec(name, path, target=None):
              if name == 'made_up': return importlib.util.spec_from_loader(name, Loader)
      class Loader:
          create_module = staticmethod(lambda spec: None)
          exec_module = staticmethod(lambda module: setattr(module, 'x', 5))
      sys.meta_path.append(Finder); import made_up; print(made_up.x, made_up)
      print(importlib.util.find_spec('json').origin, importlib.util.find_spec('nothing'))
      sys.modules.pop('json', None); import json; print(json.loads('1'))
      importlib.reload(json)
      import zipfile; zipfile.ZipFile('z.zip', 'w').writestr('zipped.py', 'y = 6'); sys.path.append('z.zip'); import zipped; print(zipped.y, zipped.__file__)
      print(sys.modules['os'].path is sys.modules['posixpath'], __import__('os.path').__name__)
    `,
  },
  'time and its clocks': {
    code: 'import time, datetime\nprint(time.tzname, time.timezone, time.daylight, time.perf_counter() > 0, abs(time.time() - datetime.datetime.now().timestamp()) < 1, time.get_clock_info("monotonic"))\nbefore = time.monotonic(); time.sleep(0.01); print(time.monotonic() - before >= 0.01)',
  },
  argparse: {
    code: 'import argparse\np = argparse.ArgumentParser(description="d")\np.add_argument("n", type=int)\np.parse_args()',
    args: ['x'],
  },
  'argparse help': {
    code: 'import argparse\np = argparse.ArgumentParser(description="d")\np.add_argument("n", type=int)\np.parse_args()',
    args: ['-h'],
  },
  'site and sysconfig': {
    code: 'import site, sys, sysconfig, platform\nprint(site.ENABLE_USER_SITE, site.PREFIXES, site.getsitepackages(), site.getusersitepackages(), sysconfig.get_paths(), platform.python_version(), platform.python_implementation())',
  },
  'zoneinfo, locale formats and unicode data': {
    code: 'import zoneinfo, datetime, unicodedata, calendar\nprint(datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")).utcoffset(), unicodedata.name("ü"), calendar.month(2020, 2), f"{1234.5:n}", "ß".upper())',
  },
  'turtle, tkinter and what is not there': {
    code: 'try: import tkinter\nexcept ImportError as error: print(error)\nimport webbrowser, curses\nprint(webbrowser.open("http://x"))\ncurses.setupterm()',
  },
  'contextvars, generators, coroutines': {
    code: 'import contextvars\nv = contextvars.ContextVar("v", default=1)\nprint(v.get(), contextvars.copy_context().run(lambda: (v.set(2), v.get())), v.get())\nasync def f(): return 1\nc = f()\ntry: c.send(None)\nexcept StopIteration as stop: print(stop.value)',
  },
  'the own name space': {
    code: 'x = 1\ndel x\ntry: x\nexcept NameError as error: print(error)\nprint(sorted(set(dir())), vars() is globals() is locals())\nexec("y = 2"); print(y)\nglobals()["z"] = 3; print(z)',
  },
  'files and their rights': {
    code: 'import os, pathlib, shutil\np = pathlib.Path("d/e"); p.mkdir(parents=True); (p / "f").write_text("x"); os.chmod(p / "f", 0o600)\nprint([(str(x), oct(x.stat().st_mode)) for x in sorted(pathlib.Path(".").rglob("*"))], shutil.disk_usage("/tmp").total)\nfor place in ("/", "/etc/x", "/berth/x", "/root/x", "/proc/1/mem"):\n    try: open(place, "w")\n    except OSError as error: print(error)\nprint(oct(os.stat("/workspace").st_mode), oct(os.stat("/tmp").st_mode), oct(os.stat("main.py").st_mode), os.stat("main.py").st_uid == os.getuid())',
  },
};
