"""Berth's launcher for Python: a warm interpreter that forks a child for each execution. `python.py` starts it.

The runner starts that with a SOCK_SEQPACKET socket as descriptor 3. It answers one message when it is warm,
    {"version": "3.11.2", "preloaded": [...], "warmMs": 61.2}   or   {"error": "..."},
and then takes messages "UID BELL PATH" with five descriptors: stdin, stdout, stderr, job, status. For each
it forks a spare. PATH is "spare" where that is made while nothing runs, and "fork" where a program waits for it. A spare tells {"pid": N} on its status pipe, waits for its job on the job pipe,
    u32 big-endian header length | header JSON | code | files,
and right before the program begins says {"path": "spare"} or {"path": "fresh", "reason": "..."}, or {"error": "..."}.

When the program is over and its output is flushed, the spare rings the bell, a datagram socket with that abstract
name, and exits. The runner need not wait until the kernel has taken down the memory of an interpreter, which takes
longer than most programs. The bell carries "exit status, user and system CPU microseconds".

The zygote never reads a job: what one execution ran cannot be found in the memory of the next.
"""

import sys
import time

# What small programs commonly import. Everything here makes each spare's end slower by its size, and is imported
# faster than loaded by those who need it. Nothing may start a thread or open a descriptor.
PRELOAD = (
    'abc', 'bisect', 'collections', 'collections.abc', 'contextlib', 'copy', 'datetime', 'enum', 'functools', 'heapq',
    'io', 'itertools', 'json', 'math', 'operator', 'os', 'random', 're', 'signal', 'string', 'struct', 'sys',
    'threading', 'time', 'types', 'typing', 'warnings', 'weakref',
)  # fmt: skip
# What is less common, and takes two fifths of the time that all of them take: only before the second spare, since many a
# sandbox serves one execution and is gone.
PRELOAD_LATER = (
    'dataclasses', 'decimal', 'fractions', 'linecache', 'numbers', 'statistics', 'textwrap', 'traceback',
)  # fmt: skip

import _ctypes
import _socket
import atexit
import errno
import functools
import gc
import io
import json
import os
import random
import resource
import signal
import threading
import types

WORK_DIRECTORY = '/workspace'
PR_SET_DUMPABLE = 4
PR_GET_TID_ADDRESS = 40
CLONE_PARENT = 0x00008000
CLONE_CHILD_CLEARTID = 0x00200000
CLONE_CHILD_SETTID = 0x01000000
# Numbers of the calls clone, set_robust_list, get_robust_list.
CALL_NUMBERS = {'x86_64': (56, 273, 274), 'aarch64': (220, 99, 100)}
ROBUST_LIST_HEAD_BYTES = 24
MADV_POPULATE_WRITE = 23
USE_STEP = 65536
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4

# A variable with one of these beginnings is read when an interpreter starts, so only a new one can obey it.
FRESH_PREFIXES = ('PYTHON', 'LD_', 'LC_', 'LANG', 'MALLOC_', 'GLIBC_TUNABLES')


class Word(_ctypes._SimpleCData):
    _type_ = 'L'


class Byte(_ctypes._SimpleCData):
    _type_ = 'B'


class Long(_ctypes._SimpleCData):
    _type_ = 'l'


class Int(_ctypes._SimpleCData):
    _type_ = 'i'


class Call(_ctypes.CFuncPtr):
    """A function that is called without giving up the interpreter's lock."""

    _flags_ = 0x1 | 0x4 | 0x8  # FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, FUNCFLAG_USE_ERRNO
    _restype_ = Long


class LibC:
    """Calls that the standard library has no function for. _ctypes alone is a small part of ctypes."""

    def __init__(self):
        handle = _ctypes.dlopen(None, 0)
        self._prctl = _ctypes.dlsym(handle, 'prctl')
        self._fflush = _ctypes.dlsym(handle, 'fflush')
        self._madvise = _ctypes.dlsym(handle, 'madvise')
        self._mprotect = _ctypes.dlsym(handle, 'mprotect')
        self._call = _ctypes.call_function

    def become_dumpable(self):
        """A change of uid makes a process undumpable, which hides its own /proc/self from it."""
        if self._call(self._prctl, (PR_SET_DUMPABLE, 1, 0, 0, 0)) != 0:
            raise OSError('prctl(PR_SET_DUMPABLE) failed')

    def flush_c_streams(self):
        self._call(self._fflush, (Word(0),))

    def populate(self, pages):
        """Makes pages present. Before Linux 5.14 it does nothing: they come when they are used."""
        for address, size in pages:
            self._call(self._madvise, (address, size, MADV_POPULATE_WRITE))

    def use(self, areas):
        """Makes memory present where the kernel has no advice for that (gVisor).

        There a child gets much more than a page when it uses one, and up to 2 MiB are copied: too much to wait for once
        the program has come.
        """
        for start, end, writable in areas:
            for address in range(start, end, USE_STEP):
                byte = Byte.from_address(address)
                value = byte.value
                if writable:
                    byte.value = value

    def inherit_file_pages(self):
        """Has a fork copy the page table entries of mapped files, as it does for other memory.

        It leaves them to be found by faults again, a hundred in a small program, unless one of the mapping's pages
        was written to. So one byte of each is written, with the value that it has.
        """
        for start, end, rights, _ in mappings():
            if rights[:2] == 'r-' and rights[3] == 'p':
                self._write_first_byte(start, end - start, PROT_READ | (PROT_EXEC if rights[2] == 'x' else 0))

    def _write_first_byte(self, start, size, protection):
        area = Word(start), Word(size)
        if self._call(self._mprotect, (*area, protection | PROT_WRITE)) == 0:
            byte = Byte.from_address(start)
            byte.value = byte.value
            self._call(self._mprotect, (*area, protection))


class Forker:
    """Forks with a single system call where it can.

    os.fork() runs some thousand instructions of the interpreter in the child, for threads and locks that a zygote
    does not have, and each page that they touch is copied: 180 pages. And it can only make children of its own, where
    the runner needs one of its own to wait for: without CLONE_PARENT there must be a process in between.

    What of os.fork() matters here is done: the kernel writes the new thread id to where the C library keeps it, the
    list of robust locks is announced, and the random generator gets a seed of its own (by the caller).
    """

    def __init__(self):
        handle = _ctypes.dlopen(None, 0)
        self._syscall = Call(_ctypes.dlsym(handle, 'syscall'))
        self._clone, self._set_robust_list, get_robust_list = CALL_NUMBERS.get(os.uname().machine, (0, 0, 0))
        self.direct = bool(self._clone) and self._find(Call(_ctypes.dlsym(handle, 'prctl')), get_robust_list)

    def _find(self, prctl, get_robust_list):
        """Whether the C library keeps its thread id where glibc does; not so in others, nor told by gVisor."""
        address, robust, size = Word(0), Word(0), Word(0)
        if prctl(PR_GET_TID_ADDRESS, _ctypes.byref(address), 0, 0, 0) != 0 or not address.value:
            return False
        if Int.from_address(address.value).value != os.getpid():
            return False
        found = self._syscall(Long(get_robust_list), Long(0), _ctypes.byref(robust), _ctypes.byref(size))
        if found != 0 or size.value != ROBUST_LIST_HEAD_BYTES:
            return False
        self._tid, self._robust = Word(address.value), Word(robust.value)
        return True

    def child(self):
        """Like os.fork()."""
        return self._call(0) if self.direct else os.fork()

    def sibling(self):
        """Makes a child of this process's parent. True in it."""
        if self.direct:
            try:
                return self._call(CLONE_PARENT) == 0
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self.direct = False
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            return False
        if os.fork():
            os._exit(0)
        return True

    def _call(self, flags):
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | signal.SIGCHLD
        # The thread id's address is the fourth argument or the fifth, and the other one is not looked at.
        pid = self._syscall(Long(self._clone), Long(flags), Long(0), Long(0), self._tid, self._tid)
        if pid < 0:
            raise OSError(_ctypes.get_errno() or errno.EAGAIN, 'clone failed')
        if pid == 0:
            self._syscall(Long(self._set_robust_list), self._robust, Long(ROBUST_LIST_HEAD_BYTES))
        return pid


class Stack:
    """Calls functions as if nothing were below them: a program finds no frame of this file, neither in a printed stack
    nor by sys._getframe(), and can go as deep as in an interpreter of its own.

    For that it clears the interpreter's note of its topmost frame right before the call. The interpreter makes a new
    one when the function that called returns. Where the notes are not where Python 3.11 keeps them, calls are plain.
    """

    # Offsets in PyThreadState, _PyCFrame and PyFrameObject.
    RECURSION_REMAINING, RECURSION_LIMIT, CFRAME = 32, 36, 56
    CURRENT_FRAME = 8
    FRAME_DATA = 24

    def __init__(self):
        self.hides = sys.version_info[:2] == (3, 11) and sys.maxsize > 1 << 32 and self._find()

    def _find(self):
        handle = _ctypes.dlopen(None, 0)
        self._state = state = Call(_ctypes.dlsym(handle, 'PyThreadState_Get'))()
        self._remaining = Int.from_address(state + self.RECURSION_REMAINING)
        limit = Int.from_address(state + self.RECURSION_LIMIT)
        current = Word.from_address(Word.from_address(state + self.CFRAME).value + self.CURRENT_FRAME)
        own = Word.from_address(id(sys._getframe()) + self.FRAME_DATA)
        return current.value == own.value and limit.value == sys.getrecursionlimit() > self._remaining.value > 900

    def call(self, function, *args):
        # Not a function of Python, so that it does not become a part of this frame's evaluation.
        function = functools.partial(function, *args)
        if self.hides:
            self._remaining.value = sys.getrecursionlimit() + 1  # exec takes one level for itself
            Word.from_address(Word.from_address(self._state + self.CFRAME).value + self.CURRENT_FRAME).value = 0
        return function()


def preload(names):
    for name in names:
        __import__(name)
    # Used here, unusual elsewhere: the program shall import its own.
    for name in (__name__, '_ctypes', '_socket', 'resource'):
        sys.modules.pop(name, None)


def shadowable_modules(at_start):
    """Top-level names that a plain interpreter would look for in the work directory first, but finds loaded here."""
    fixed = at_start.union(sys.builtin_module_names)
    return frozenset(name for name in sys.modules if '.' not in name and name not in fixed)


def say(fd, message):
    os.write(fd, json.dumps(message).encode() + b'\n')


# ---------------------------------------------------------------- zygote


class Warm:
    """What the zygote has found out once and each spare uses. started_as: the file that the interpreter runs;
    at_start: names of the modules that it had then."""

    def __init__(self, started_as, at_start):
        self.started_as = started_as
        self._at_start = at_start
        self.libc = LibC()
        self.forker = Forker()
        self.stack = Stack()
        self.streams = sys.stdout, sys.stderr

    def load(self, names):
        """Loads modules, and finds out what each spare shall have beforehand."""
        preload(names)
        self.shadowable = shadowable_modules(self._at_start)
        self.modules = frozenset(sys.modules)
        self.last_module = next(reversed(sys.modules))
        self.pages = self.areas = ()
        self.libc.inherit_file_pages()
        if tells_pages():
            copied_pages(os.getpid())  # for what that loads: it shall be there before the fork
        # What is frozen is not walked over by collections: its pages stay shared.
        gc.collect()
        gc.freeze()
        touched = rehearse(self)
        self.pages = [(Word(address), Word(size)) for address, size in touched]
        if not tells_pages():
            self.areas = readable_areas()
        gc.collect()
        gc.freeze()


def zygote(started_as, at_start, began):
    """Serves fork requests; returns only in a spare, with the program that it shall run."""
    channel = _socket.socket(fileno=3)
    try:
        warm = Warm(started_as, at_start)
        warm.load(PRELOAD)
        report = {
            'version': '.'.join(map(str, sys.version_info[:3])),
            'preloaded': sorted(warm.shadowable),
            'warmMs': round((time.monotonic() - began) * 1000, 1),
        }
    except BaseException:
        import traceback

        channel.send(json.dumps({'error': traceback.format_exc(limit=-3)}).encode())
        raise
    channel.send(json.dumps(report).encode())
    return serve(channel, warm)


def serve(channel, warm):
    to_load, has_forked = PRELOAD_LATER, False
    while True:
        message, control, _, _ = channel.recvmsg(4096, _socket.CMSG_SPACE(5 * 4))
        if not message:
            os._exit(0)
        descriptors = [
            int.from_bytes(data[at : at + 4], sys.byteorder) for _, _, data in control for at in range(0, len(data), 4)
        ]
        uid, bell, path = message.decode().split()
        try:
            # Only where nothing of an earlier program is left: what is loaded is tried in the work directory, as root.
            if has_forked and to_load and path == 'spare' and not os.listdir(WORK_DIRECTORY):
                warm.load(to_load)
                to_load = ()
            has_forked = True
            is_spare = fork_spare(warm.forker, int(uid), descriptors)
        except Exception as error:
            is_spare = False
            channel.send(json.dumps({'error': f'{type(error).__name__}: {error}'}).encode())
        if is_spare:
            channel.detach()
            return await_program(warm, bell, *descriptors[3:])
        for fd in descriptors:
            os.close(fd)


def fork_spare(forker, uid, descriptors):
    """Makes a spare, which is a child of the runner. False in the zygote."""
    if not forker.sibling():
        return False
    try:
        become(uid, descriptors)
        return True
    except BaseException:
        os._exit(1)


def become(uid, descriptors):
    """Turns this process into one that user code may run in; its status and job pipes stay open."""
    os.setsid()
    # While still root: the memory limit shall find the program before runner and zygote.
    score = os.open('/proc/self/oom_score_adj', os.O_WRONLY)
    os.write(score, b'1000')
    os.close(score)
    os.close(3)
    for fd in range(3):
        os.dup2(descriptors[fd], fd, inheritable=True)
        os.close(descriptors[fd])
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.umask(0o022)
    random.seed()
    threading.main_thread()._set_native_id()


# ---------------------------------------------------------------- rehearsal

REHEARSAL = b"""
import sys, json
def total(numbers): return sum(n for n in numbers)
print(total([1, 2.5]), f'{1.5:.1f}')
"""


def rehearse(warm):
    """Runs a program in a child to its end, and tells which memory that wrote to: [(address, size)].

    After a fork each page costs a fault when it is first used, and a program's start and end use some hundred.
    A spare that has them beforehand runs a small program in a fraction of the time.
    """
    header = json.dumps({
        'uid': 1000, 'mode': 'launcher', 'language': 'python', 'argv': [], 'env': {}, 'cwd': WORK_DIRECTORY,
        'entry': 'main.py', 'code': {'size': len(REHEARSAL)}, 'files': [], 'stdin': {'size': 0, 'open': False},
        'limits': {'wallMs': 10000, 'cpuMs': 10000, 'outputBytes': 1000000, 'fileBytes': 0}, 'outputCredit': 1000000,
    }).encode()  # fmt: skip
    job_read, job_write = os.pipe()
    os.write(job_write, len(header).to_bytes(4, 'big') + header + REHEARSAL)
    os.close(job_write)
    status_read, status_write = os.pipe()
    over_read, over_write = os.pipe()
    go_read, go_write = os.pipe()
    pid = warm.forker.child()
    if not pid:
        os.close(go_write)
        null = os.open('/dev/null', os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        program = await_program(warm, '', job_read, status_write)
        program.run()
        program.finish()
        os.write(over_write, b'1')
        os.read(go_read, 1)  # until its pages are looked at
        os._exit(0)
    for fd in (job_read, status_write, over_write, go_read):
        os.close(fd)
    ended_well = os.read(over_read, 1)
    pages = copied_pages(pid) if ended_well and tells_pages() else []
    for fd in (status_read, over_read, go_write):
        os.close(fd)
    os.waitpid(pid, 0)
    os.unlink(os.path.join(WORK_DIRECTORY, 'main.py'))
    return pages


def mappings():
    """[(start, end, rights, name)] of this process's memory; rights are as in r-xp, name is of a file or empty."""
    found = []
    with open('/proc/self/maps') as maps:
        for line in maps:
            bounds, rights, _, _, _, *rest = line.split(None, 5)
            name = rest[0].strip() if rest else ''
            if not name.startswith(('[vdso', '[vvar', '[vsys')):
                found.append((*(int(bound, 16) for bound in bounds.split('-')), rights, name))
    return found


def tells_pages():
    """Whether the kernel tells which pages a process has. gVisor does not."""
    return os.path.exists('/proc/self/pagemap')


def readable_areas():
    """[(start, end, writable)] of the memory that a child takes over; of the stack, gVisor shows all it may grow to."""
    return [
        (start, end, rights[1] == 'w')
        for start, end, rights, name in mappings()
        if rights[0] == 'r' and name != '[stack]'
    ]


def copied_pages(pid):
    """Which pages of this process's writable memory a child has to itself, because it has written to them."""
    size = os.sysconf('SC_PAGESIZE')
    pages = []
    with open(f'/proc/{pid}/pagemap', 'rb', buffering=0) as pagemap:
        for start, end, rights, _ in mappings():
            if rights[:2] != 'rw':
                continue
            entries = os.pread(pagemap.fileno(), (end - start) // size * 8, start // size * 8)
            for at in range(0, len(entries), 8):
                entry = int.from_bytes(entries[at : at + 8], sys.byteorder)
                present, of_file, own = entry >> 63 & 1, entry >> 61 & 1, entry >> 56 & 1
                if not present or of_file or not own:
                    continue
                address = start + at // 8 * size
                last = pages[-1] if pages else None
                if last and last[0] + last[1] == address:
                    last[1] += size
                else:
                    pages.append([address, size])
    return pages


# ---------------------------------------------------------------- spare


def await_program(warm, bell, job_fd, status_fd):
    """Waits for a job and makes everything ready for its program, as `python3 entry args` has it."""
    warm.libc.become_dumpable()
    os.chdir(WORK_DIRECTORY)
    warm.libc.populate(warm.pages)
    warm.libc.use(warm.areas)
    os.write(status_fd, b'{"pid":%d}\n' % os.getpid())
    job = Job(job_fd)
    try:
        job.read_header()
        job.enter_directory()
        job.write_files()
        job.apply_limits()
        program = Program(warm, bell, job)
        reason = job.needs_fresh_interpreter(warm.shadowable) or program.needs_fresh_interpreter()
    except BaseException as error:
        say(status_fd, {'error': f'{type(error).__name__}: {error}'})
        os._exit(1)
    os.close(job_fd)
    if reason and not bell:
        os._exit(1)  # a rehearsal runs nothing but its own program
    if reason:
        say(status_fd, {'path': 'fresh', 'reason': reason})
        os.close(status_fd)
        job.run_fresh()
    os.write(status_fd, b'{"path":"spare"}\n')
    os.close(status_fd)
    program.enter()
    return program


class Job:
    """What START brought: header, code and files. Paths are relative to the work directory."""

    def __init__(self, fd):
        self._fd = fd
        self._unread = b''

    def _read(self, size):
        """Exactly size bytes."""
        chunks = [self._unread]
        have = len(self._unread)
        while have < size:
            chunk = os.read(self._fd, max(65536, min(size - have, 1 << 20)))
            if not chunk:
                os._exit(0)  # the runner has no use for this spare any more
            chunks.append(chunk)
            have += len(chunk)
        data = b''.join(chunks)
        self._unread = data[size:]
        return data[:size]

    def read_header(self):
        header = json.loads(self._read(int.from_bytes(self._read(4), 'big')))
        self.argv = header.get('argv') or []
        self.env = header.get('env') or {}
        self.directory = header.get('cwd') or WORK_DIRECTORY
        self.entry = header.get('entry') or 'main.py'
        self._code_bytes = header['code']['size'] if header.get('code') else None
        self._files = header.get('files') or ()
        self._file_limit = (header.get('limits') or {}).get('fileBytes') or 0

    def enter_directory(self):
        if self.directory != WORK_DIRECTORY:
            os.chdir(self.directory)

    def write_files(self):
        if self._code_bytes is not None:
            self.code = self._read(self._code_bytes)
            write_file(self.entry, self.code, 0o644)
        for file in self._files:
            write_file(file['path'], self._read(file.get('size') or 0), file.get('mode') or 0o644)
        if self._code_bytes is None:
            with open(self.entry, 'rb') as file:
                self.code = file.read()

    def apply_limits(self):
        if self._file_limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._file_limit, self._file_limit))

    def needs_fresh_interpreter(self, shadowable):
        """The reason why only a new interpreter does what a plain one would, or None."""
        for name in self.env:
            if name.startswith(FRESH_PREFIXES):
                return 'env ' + name
        for name in os.listdir():
            if name.split('.', 1)[0] in shadowable:
                return f'file {name} shadows a preloaded module'
        return None

    def run_fresh(self):
        # Python ignores these two at its start; the next one shall find them as a shell leaves them.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execve(sys.executable, ['python3', self.entry, *self.argv], {**os.environ, **self.env})


def write_file(path, data, mode):
    """Writes a file with its parent directories; a path that ends with a slash is a directory."""
    parent = os.path.dirname(path)
    if parent:
        os.makedirs(parent, exist_ok=True)
    if path.endswith('/'):
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    while data:
        data = data[os.write(fd, data) :]
    if mode != 0o644:
        os.fchmod(fd, mode & 0o777)
    os.close(fd)


# How errors begin that an interpreter tells differently of a file than of text.
UNREADABLE = ('(unicode error)', 'unknown encoding')


class Program:
    """The job's program in this interpreter, and its end as the interpreter would end it."""

    def __init__(self, warm, bell, job):
        self._warm = warm
        self._bell = bell
        self._argv = [job.entry, *job.argv]
        self._env = job.env
        self._path = os.path.join(os.getcwd(), job.entry)
        self._main = main_module(self._path)
        self._is_text = True
        self._error = None
        try:
            self._code = compile(job.code, self._path, 'exec', dont_inherit=True)
        except BaseException as error:
            self._is_text = isinstance(error, SyntaxError) and not str(error).startswith(UNREADABLE)
            self._code = None
            self._error = error.with_traceback(None)

    def needs_fresh_interpreter(self):
        """Source that is no text of its encoding: what is wrong is told differently for a file."""
        return None if self._is_text else 'the code cannot be decoded'

    def enter(self):
        if self._env:
            os.environ.update(self._env)
        if 'TZ' in self._env:
            time.tzset()
        sys.argv[:] = self._argv
        sys.orig_argv[:] = ['python3', *self._argv]
        sys.path_importer_cache.pop(sys.path[0], None)
        sys.path_importer_cache.pop(self._warm.started_as, None)
        sys.path_importer_cache[self._path] = None
        sys.path[0] = os.path.dirname(self._path)
        sys.modules['__main__'] = self._main

    def run(self):
        """Runs it to its end; what it raises is told in finish()."""
        if self._code is not None:
            try:
                self._warm.stack.call(exec, self._code, self._main.__dict__)
            except BaseException as error:
                self._error = error

    def finish(self, trace=None, profile=None):
        """The interpreter's own end, without taking down what the zygote has loaded: that would copy every page.

        Tells the error that nobody caught, waits for threads, runs atexit functions, flushes, and releases the
        program's objects so that their finalizers run. Answers the exit status.

        Where only the interpreter itself can end as it would, it raises SystemExit with the status, or
        KeyboardInterrupt, for the interpreter to see. trace and profile are functions that the program left set.
        """
        call = self._warm.stack.call
        status, self._error = report(self._error, call), None
        flush_standard_streams()
        if trace or profile or self._has_finalizers():
            self._end_with_interpreter(status, trace, profile)
        call(threading._shutdown)
        call(atexit._run_exitfuncs)
        if not flush_standard_streams():
            self._end_with_interpreter(status)
        self._release()
        if not flush_standard_streams():
            self._end_with_interpreter(status)
        for stream in self._warm.streams:
            flush(stream)
        self._warm.libc.flush_c_streams()
        return status

    def _end_with_interpreter(self, status, trace=None, profile=None):
        """Leaves what is still to do to the interpreter, whose modules then go in its own order and with its own
        messages. Some milliseconds slower."""
        self._main = self._code = self._warm.streams = None
        sys.setprofile(profile)
        sys.settrace(trace)
        if status == SIGINT_STATUS:
            sys.excepthook = ignore
            raise KeyboardInterrupt
        raise SystemExit(status)

    def _has_finalizers(self):
        """Whether classes have come that tell when their objects go. What the zygote has loaded is frozen and not
        among the objects looked at."""
        return any('__del__' in vars(kind) for kind in gc.get_objects() if issubclass(type(kind), type))

    def _release(self):
        """Lets go of the main module and of whatever the program imported."""
        self._main = self._code = None
        has_files = any(map(is_file, gc.get_objects()))
        if has_files and gc.isenabled():
            # As the interpreter does. It puts what is still in use in an order in which files of a cycle are flushed
            # before they are closed.
            gc.collect()
        sys.last_type = sys.last_value = sys.last_traceback = None
        for name in self._imported():
            sys.modules.pop(name, None)
        sys.modules.pop('__main__', None)
        gc.collect()
        if has_files:
            for kept in filter(is_file, gc.get_objects()):
                flush(kept)

    def _imported(self):
        """Names of the modules that the program brought in. They come after those of the zygote, of which not even
        the names are looked at: each would be a page to copy."""
        names = []
        for name in reversed(sys.modules):
            if name is self._warm.last_module:
                break
            if name not in self._warm.modules:
                names.append(name)
        return names[::-1]

    def leave(self, status):
        """Ends the process with an exit status that finish() gave, and rings the bell."""
        if status == SIGINT_STATUS:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        try:
            own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
            user, system = own.ru_utime + children.ru_utime, own.ru_stime + children.ru_stime
            ringer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
            address = b'\0' + self._bell.encode()
            ringer.sendto(b'%d %d %d' % (status, user * 1e6, system * 1e6), _socket.MSG_DONTWAIT, address)
        except BaseException:
            pass  # the runner sees the process end
        os._exit(status)


def main_module(path):
    module = types.ModuleType('__main__')
    module.__annotations__ = {}
    module.__builtins__ = sys.modules['builtins']
    module.__file__ = path
    module.__cached__ = None
    module.__loader__ = type(__loader__)('__main__', path)
    return module


def report(error, call):
    """What PyErr_Print does with an exception that nobody caught; answers the exit status."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return exit_status(error)
    tb = without_own_frames(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, tb
    hook = getattr(sys, 'excepthook', None)
    if hook is None:
        say_error('sys.excepthook is missing\n')
        hook = sys.__excepthook__
    failure = None
    try:
        call(hook, type(error), error, tb)
    except SystemExit as leaving:
        return exit_status(leaving)
    except BaseException as raised:
        failure = raised
    if failure is not None:
        say_error('Error in sys.excepthook:\n')
        sys.__excepthook__(type(failure), failure, without_own_frames(failure))
        say_error('\nOriginal exception was:\n')
        sys.__excepthook__(type(error), error, tb)
    return SIGINT_STATUS if isinstance(error, KeyboardInterrupt) else 1


def without_own_frames(error):
    """The traceback, and from now on the exception's, without this file's functions."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    error.__traceback__ = tb
    return tb


SIGINT_STATUS = -2


def exit_status(error):
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 255
    say_error(code)
    say_error('\n')
    return 1


def say_error(text):
    """Writes to stderr where that is possible; what cannot be told of an error is lost."""
    try:
        sys.stderr.write(str(text))
    except BaseException:
        pass


def flush(stream):
    """False when what was written cannot be delivered."""
    try:
        if stream is not None and not getattr(stream, 'closed', False):
            stream.flush()
        return True
    except BaseException:
        return False


def flush_standard_streams():
    """False when what was written cannot be delivered. A program may have taken the streams away, or put others there."""
    delivered = flush(sys.__dict__.get('stdout'))
    return flush(sys.__dict__.get('stderr')) and delivered


def is_file(thing):
    """Whether it may have something to flush. Not isinstance: that asks the object, which may be anything."""
    return issubclass(type(thing), (io.TextIOWrapper, io.BufferedWriter))


def ignore(*_):
    pass


def launch(started_as, at_start, began):
    """Becomes the zygote, and in each spare runs its program to its end.

    started_as: the file that the interpreter runs; at_start: names of the modules that it had then; began: by
    time.monotonic().
    """
    program = zygote(started_as, at_start, began)
    program.run()
    # What the program left to be called at each step of the interpreter shall not see these.
    trace, profile = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    program.leave(program.finish(trace, profile))
