"""Tells everything that a program can see of the place it is in, without what differs in every execution.

Compared between a sandbox that nobody has used and one that a hostile program has. Arguments: the SHA-256 of the
text that the hostile program had as its mark, which must be nowhere in this process.
"""
import _socket, builtins, codecs, ctypes, decimal, errno, gc, hashlib, json, locale, os, re, resource, signal, stat, sys
import sysconfig, threading, time, warnings

# The launcher loads these before its second spare, so that only later executions of a sandbox find them there.
import dataclasses, fractions, linecache, numbers, statistics, textwrap, traceback

modules = sorted(sys.modules)
files = sorted(str(getattr(module, '__file__', None)) for name, module in sys.modules.items() if name != '__main__')
uid = os.getuid()
libc = ctypes.CDLL(None, use_errno=True)


def tell(name, value):
    # Lone surrogates stand for bytes that are no UTF-8.
    print(f'{name}: {value!r}'.encode('utf-8', 'backslashreplace').decode().replace(str(uid), 'UID'))


def read(path):
    try:
        with open(path, errors='surrogateescape') as file:
            return file.read()
    except OSError as error:
        return errno.errorcode[error.errno]


# Files: every place that is mounted for writing, its directory itself, and what it holds.
def tree(path, depth=0):
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield path, errno.errorcode[error.errno]
        return
    for entry in found:
        look = entry.stat(follow_symlinks=False)
        yield entry.path, oct(look.st_mode), look.st_uid == uid, look.st_nlink, look.st_size
        if entry.is_dir(follow_symlinks=False) and depth < 8:
            yield from tree(entry.path, depth + 1)


mounts = [line.split() for line in read('/proc/self/mounts').splitlines()]
tell('mounts', sorted((m[1], m[2], re.sub(r'(upperdir|workdir|lowerdir|uid|gid|id|pgrp|minproto|maxproto|pipe_ino|fd)=[^,]*', '', m[3])) for m in mounts))
for place in ('/tmp', '/workspace', '/dev/shm', '/dev/mqueue', '/dev', '/run', '/var/tmp', '/home', '/root'):
    try:
        look, space = os.stat(place), os.statvfs(place)
    except OSError as error:
        tell(place, errno.errorcode[error.errno])
        continue
    tell(place, (oct(look.st_mode), look.st_uid, look.st_gid, os.access(place, os.W_OK)))
    if place in ('/tmp', '/workspace', '/dev/shm'):
        tell(place + ' used', (space.f_blocks - space.f_bfree, space.f_files - space.f_ffree))
    if os.access(place, os.W_OK):
        tell(place + ' holds', list(tree(place)))
tell('home', (os.path.expanduser('~'), os.access(os.path.expanduser('~'), os.W_OK)))

# Processes, interprocess communication, locks, sockets.
processes = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    status = dict(line.split(':\t', 1) for line in read(f'/proc/{pid}/status').splitlines() if ':\t' in line)
    processes.append((status.get('Name'), 'self' if int(pid) == os.getpid() else status.get('Uid', '').split('\t')[0],
                      status.get('State', '')[:1].replace('R', 'S'), status.get('Threads') if int(pid) == os.getpid() else '', status.get('NSpid', '').count('\t')))
tell('processes', sorted(map(str, processes)))
for table in ('shm', 'sem', 'msg'):
    tell('sysvipc ' + table, len(read('/proc/sysvipc/' + table).splitlines()))
tell('unix sockets', sorted(re.sub('berth-bell-.*', 'bell', line.split()[-1]) for line in read('/proc/net/unix').splitlines()[1:] if '@' in line or '/' in line))
for table in ('tcp', 'tcp6', 'udp', 'udp6', 'raw', 'packet', 'netlink'):
    tell('net ' + table, len(read('/proc/net/' + table).splitlines()))
tell('interfaces', sorted(name for _, name in _socket.if_nameindex()))
tell('locks', len(read('/proc/locks').splitlines()))
tell('keys', read('/proc/keys'))
tell('hostname', os.uname().nodename == read('/etc/hostname').strip() or 'another')

# This process as its parents made it.
status = dict(line.split(':\t', 1) for line in read('/proc/self/status').splitlines() if ':\t' in line)
for key in ('Umask', 'Groups', 'SigQ', 'SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb',
            'NoNewPrivs', 'Seccomp', 'TracerPid', 'Cpus_allowed_list', 'Threads', 'CoreDumping'):
    tell(key, re.sub('/.*', '', status.get(key, 'none').strip()))
tell('ids', (os.getresuid() == (uid,) * 3, os.getresgid() == (uid,) * 3, os.getppid(), os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()))
tell('descriptors', sorted((int(fd), re.sub(r'\d{2,}', 'N', os.readlink(f'/proc/self/fd/{fd}'))) for fd in os.listdir('/proc/self/fd') if os.path.lexists(f'/proc/self/fd/{fd}')))
tell('descriptor rights', [(fd, stat.S_IFMT(os.fstat(fd).st_mode), os.fstat(fd).st_uid == uid, oct(os.fstat(fd).st_mode)) for fd in range(3)])
tell('limits', [(name, resource.getrlimit(getattr(resource, name))) for name in sorted(dir(resource)) if name.startswith('RLIMIT_')])
tell('place', (os.getcwd(), os.readlink('/proc/self/root') if os.path.lexists('/proc/self/root') else ''))
tell('scheduling', (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), libc.syscall(252 if os.uname().machine == 'x86_64' else 31, 1, 0)))
tell('timers', [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)])
tell('prctl', [libc.prctl(option, 0, 0, 0, 0) for option in (3, 7, 27, 30, 37, 39)])
tell('oom', (read('/proc/self/oom_score_adj'), read('/proc/self/coredump_filter')))
tell('personality', libc.personality(ctypes.c_ulong(0xFFFFFFFF)))
tell('environment', sorted((name, value) for name, value in os.environ.items() if name not in ('HOSTNAME', 'NOW')))
tell('environment of the process', sorted(name.split(b'=')[0] for name in open('/proc/self/environ', 'rb').read().split(b'\0')))

# The interpreter.
tell('modules', (modules, files))
tell('sys', (sys.path, sys.argv[:1], tuple(sys.flags), sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode, sys.pycache_prefix,
             [type(finder).__name__ for finder in sys.meta_path], len(sys.path_hooks), sorted(sys.path_importer_cache)))
tell('hooks', (sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.gettrace(), sys.getprofile(), sys.breakpointhook is sys.__breakpointhook__))
tell('builtins', sorted(dir(builtins)))
tell('gc', (gc.isenabled(), gc.get_threshold(), len(gc.garbage), gc.get_debug(), len(gc.callbacks)))
tell('text', (locale.setlocale(locale.LC_ALL), sys.stdout.encoding, sys.stdout.errors, sys.getfilesystemencoding(), time.tzname))
tell('decimal', decimal.getcontext())
tell('warnings', [(action, str(category)) for action, _, category, _, _ in warnings.filters])
tell('threads', [thread.name for thread in threading.enumerate()])
tell('customized', [name for name in ('sitecustomize', 'usercustomize') if name in sys.modules])
tell('globals', sorted(name for name in vars(sys.modules['__main__']) if name.startswith('__')))
tell('clock', abs(time.time() - float(os.environ['NOW'])) < 60)

# Memory: the last user's mark must not be there; this program's own, put together here, must be, or the search is blind.
own = 'mark-' + os.urandom(8).hex()
control = hashlib.sha256(own.encode()).hexdigest()
digests, readable = set(), 0
for line in open('/proc/self/maps'):
    span, rights, *rest = line.split()
    if 'r' not in rights or '[v' in line:
        continue
    start, end = (int(bound, 16) for bound in span.split('-'))
    try:
        with open('/proc/self/mem', 'rb', 0) as memory:
            memory.seek(start)
            data = memory.read(end - start)
    except (OSError, OverflowError, ValueError):
        continue
    readable += 1
    digests.update(hashlib.sha256(match).hexdigest() for match in re.findall(b'mark-[0-9a-f]{16}', data))
tell('memory', (readable > 10, control in digests, sys.argv[1] in digests))
