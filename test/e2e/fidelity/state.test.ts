import { beforeAll, describe, expect, it } from 'vitest';
import { connect, type BerthClient, StartPath } from '../../../clients/typescript/src/index.js';
import type { TestDaemon } from '../../support/daemon.js';
import { daemonOfFile } from '../../support/daemon-of-file.js';
import { python } from './programs/python.js';

let daemon: TestDaemon;
let client: BerthClient;
daemonOfFile(
  { env: { BERTH_SANDBOX_CPU_MILLIS: '2000', BERTH_POOL_MAX: '1' } },
  (started) => ({ daemon, client } = started),
);

async function run(code: string, by = client): Promise<{ stdout: string; sandboxId: string }> {
  const result = await by.run({ language: 'python', source: { $case: 'code', value: code } });
  expect(result.stderr.toString()).toBe('');
  expect(result.started.startPath).toBe(StartPath.SPARE);
  return { stdout: result.stdout.toString(), sandboxId: result.started.sandboxId };
}

/** Everything that a program before it might have changed. */
const PROBE = python`
  # Loaded by the launcher before its second spare: only later executions of a sandbox find them there.
  import dataclasses, fractions, numbers, statistics, textwrap, traceback
  import asyncio, atexit, builtins, codecs, collections, concurrent.futures, copyreg, decimal, gc, io, json, linecache
  import locale, logging, os, random, re, resource, signal, socket, string, sys, tempfile, threading, time, typing, warnings
  print('modules', sorted(sys.modules))
  print('sys', sorted(vars(sys)), sys.path, sys.meta_path, sys.path_hooks, sys.argv, sys.getrecursionlimit(), sys.getswitchinterval())
  print('hooks', sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook, sys.gettrace(), sys.getprofile(), sys.breakpointhook)
  print('builtins', sorted(vars(builtins)), print, open, len)
  print('functions', json.dumps({'a': 1}), json.dumps.__module__, re.sub('a', 'b', 'a'), random.choice.__func__.__module__, os.getcwd.__module__, time.time.__module__, collections.Counter('a'))
  print('environment', {k: v for k, v in os.environ.items() if k != 'HOSTNAME'}, os.getcwd(), oct(os.umask(0o022)))
  print('signals', [(s, signal.getsignal(s)) for s in sorted(signal.valid_signals())], signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getitimer(0))
  print('decimal', decimal.getcontext(), decimal.DefaultContext)
  print('locale', locale.setlocale(locale.LC_ALL), time.tzname)
  print('logging', logging.root.handlers, logging.root.level, sorted(logging.root.manager.loggerDict), logging.getLevelName(5), logging.raiseExceptions)
  print('warnings', warnings.filters, warnings.showwarning.__module__)
  print('asyncio', type(asyncio.get_event_loop_policy()))
  print('gc', gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.get_debug())
  print('exit', atexit._ncallbacks(), threading.active_count(), threading.stack_size(), socket.getdefaulttimeout())
  print('pickle', sorted(map(str, copyreg.dispatch_table)), linecache.cache.keys(), string.ascii_letters, tempfile.tempdir)
  print('limits', [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith('RLIMIT_')], os.getpriority(os.PRIO_PROCESS, 0))
  print('files', [sorted(os.listdir(place)) for place in ('/workspace', '/tmp', '/dev/shm')], sorted(os.listdir('/proc/self/fd')))
  print('codecs', codecs.lookup_error('strict'), io.DEFAULT_BUFFER_SIZE, typing.TYPE_CHECKING)
`;

/** Each leaves something behind in its interpreter or its sandbox. */
const MUTATIONS: Record<string, string> = {
  'functions of the library replaced': python`
    import collections, json, os, random, re, time
    json.dumps = re.sub = lambda *a, **k: 'mine'
    time.time = lambda: 0; os.getcwd = lambda: '/'; random.choice = lambda x: 4
    collections.Counter.__repr__ = lambda self: 'mine'
    json.encoder.JSONEncoder.default = json.JSONEncoder.default = None
  `,
  'builtins and sys': python`
    import builtins, sys
    builtins.mine = 1; builtins.len = lambda x: 7; sys.mine = 1
    sys.setrecursionlimit(77777); sys.setswitchinterval(0.5); sys.path.insert(0, '/tmp'); sys.argv.append('x')
    sys.excepthook = sys.displayhook = sys.unraisablehook = sys.breakpointhook = lambda *a: None
    sys.meta_path.clear(); sys.path_hooks.clear()
  `,
  'trace functions': python`
    import sys, threading
    sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None); threading.settrace(print); threading.excepthook = print
  `,
  'environment, directory and umask': python`
    import os
    os.environ['MINE'] = '1'; os.environ['PATH'] = '/'; os.putenv('MINE2', '1'); os.environ['PYTHONPATH'] = '/tmp'
    os.chdir('/'); os.umask(0)
  `,
  'signals and timers': python`
    import signal
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE): signal.signal(s, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); signal.setitimer(signal.ITIMER_REAL, 1000)
  `,
  'random and decimal': python`
    import decimal, random
    random.seed(5); decimal.getcontext().prec = 3; decimal.DefaultContext.prec = 4
  `,
  'locale, time zone and warnings': python`
    import locale, os, time, warnings
    locale.setlocale(locale.LC_ALL, 'C'); os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()
    warnings.simplefilter('error'); warnings.showwarning = print
  `,
  logging: python`
    import logging
    logging.basicConfig(level=1, filename='/tmp/log'); logging.addLevelName(5, 'MINE'); logging.getLogger('mine').setLevel(1)
    logging.raiseExceptions = False
  `,
  'threads, executors and asyncio': python`
    import asyncio, concurrent.futures, socket, threading, time
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy()); asyncio.set_event_loop(asyncio.new_event_loop())
    concurrent.futures.ThreadPoolExecutor(4).submit(time.sleep, 0)
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start(); threading.stack_size(1 << 20); socket.setdefaulttimeout(5)
  `,
  'atexit, gc and pickle': python`
    import atexit, copyreg, gc
    atexit.register(lambda: None); gc.disable(); gc.set_threshold(1, 1, 1); gc.callbacks.append(lambda *a: None)
    class Mine: pass
    copyreg.pickle(Mine, lambda x: (Mine, ()))
  `,
  'modules of its own': python`
    import os, sys, types
    os.makedirs('/tmp/lib'); open('/tmp/lib/mine.py', 'w').write('x = 1'); open('/tmp/json.py', 'w').write('x = 1')
    sys.path.insert(0, '/tmp/lib'); import mine
    sys.modules['made_up'] = types.ModuleType('made_up'); del sys.modules['json']
  `,
  'limits and priority': python`
    import os, resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)); resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20)); os.nice(5)
  `,
  'files, shared memory and children': python`
    import os, subprocess
    from multiprocessing import resource_tracker, shared_memory
    for place in ('/workspace', '/tmp', '/dev/shm'): open(place + '/left', 'w').close(); os.mkdir(place + '/folder', 0)
    subprocess.Popen(['sleep', '1000'], start_new_session=True, stdout=subprocess.DEVNULL).returncode = 0
  `,
};

describe('nothing of an execution is seen by the next in its sandbox', () => {
  let pristine: { stdout: string; sandboxId: string };
  beforeAll(async () => {
    pristine = await run(PROBE);
  });

  it.each(Object.entries(MUTATIONS))('%s', async (_, mutation) => {
    const { sandboxId } = await run(mutation);
    expect(sandboxId).toBe(pristine.sandboxId);
    const after = await run(PROBE);
    expect(after.sandboxId).toBe(pristine.sandboxId);
    expect(after.stdout.split('\n')).toEqual(pristine.stdout.split('\n'));
  });
});

describe('what must differ', () => {
  const DRAW =
    'import os, random, uuid, tempfile\nprint(random.random(), os.urandom(8).hex(), uuid.uuid4(), tempfile.mkdtemp())';

  it('random numbers, of one execution and the next', async () => {
    const drawn: string[][] = [];
    for (let i = 0; i < 8; i++) drawn.push((await run(DRAW)).stdout.trim().split(' '));
    for (const column of [0, 1, 2, 3])
      expect(new Set(drawn.map((row) => row[column])).size).toBe(drawn.length);
  });

  it('random numbers, of processes that the program forks', async () => {
    const { stdout } = await run(
      'import os, random\nfor _ in range(5):\n    if os.fork() == 0:\n        print(random.random(), flush=True); os._exit(0)\n    os.wait()\n',
    );
    expect(new Set(stdout.trim().split('\n')).size).toBe(5);
  });

  it('the hash of a text, of one tenant and another', async () => {
    const other = connect({ address: daemon.address, tenant: 'another' });
    try {
      const mine = await run('print(hash("x"), id(object()))');
      const theirs = await run('print(hash("x"), id(object()))', other);
      expect(theirs.sandboxId).not.toBe(mine.sandboxId);
      expect(theirs.stdout.split(' ')[0]).not.toBe(mine.stdout.split(' ')[0]);
    } finally {
      other.close();
    }
  });
});

it("a module that is loaded beforehand is of the standard library, and in nobody's name space", async () => {
  const { stdout } = await run(python`
    import sys
    loaded = set(sys.modules)
    import subprocess
    plain = subprocess.run([sys.executable, '-c', 'import sys; print(*sys.modules)'], capture_output=True, text=True).stdout.split()
    print(sorted(set(plain) - loaded), sorted(name for name in loaded.difference(plain) if name.partition('.')[0] not in sys.stdlib_module_names))
    print(sorted(globals().keys() - {'__name__', '__doc__', '__package__', '__loader__', '__spec__', '__annotations__', '__builtins__', '__file__', '__cached__'}))
  `);
  expect(stdout).toBe("[] []\n['loaded', 'plain', 'subprocess', 'sys']\n");
});
