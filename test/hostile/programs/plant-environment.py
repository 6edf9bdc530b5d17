# tries: to leave changes of itself: environment, mask, directory, zone, language, limits, signals, hooks, modules
# threats: 13
# ends: exited 0
# shows: changed
import builtins
import gc
import locale
import os
import resource
import signal
import sys
import time
import types
import warnings

print('changed', flush=True)
os.environ.update(PLANTED='1', PYTHONPATH='/tmp', PYTHONSTARTUP='/tmp/x', LD_PRELOAD='/tmp/x.so', TZ='Pacific/Kiritimati', LC_ALL='C', PATH='/tmp')
time.tzset()
locale.setlocale(locale.LC_ALL, 'C')
os.umask(0)
os.chdir('/')
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.setitimer(signal.ITIMER_VIRTUAL, 1_000)
for name in (name for name in dir(resource) if name.startswith('RLIMIT_') and name not in ('RLIMIT_AS', 'RLIMIT_DATA', 'RLIMIT_CPU', 'RLIMIT_STACK')):
    hard = resource.getrlimit(getattr(resource, name))[1]
    try:
        resource.setrlimit(getattr(resource, name), (min(hard, 64) if hard != -1 else 64, hard))
    except (OSError, ValueError):
        pass
sys.modules['planted'] = types.ModuleType('planted')
sys.modules['json'] = sys.modules['planted']
builtins.print = builtins.open = lambda *_, **__: None
sys.path.insert(0, '/tmp')
sys.setrecursionlimit(50_000)
sys.excepthook = sys.displayhook = lambda *_: None
gc.disable(), gc.set_threshold(1)
warnings.simplefilter('error')
os.nice(10)
