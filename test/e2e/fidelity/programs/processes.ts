import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

/** Processes, threads, signals and what the kernel says of them. */
export const PROCESSES: Record<string, FidelityProgram> = {
  'ids, session, directory and umask': {
    code: python`
      import os
      pid = os.getpid()
      print(os.getppid(), pid == os.getpgrp(), pid == os.getsid(0), os.getcwd(), oct(os.umask(0)))
      print(os.getuid() == os.geteuid() == os.getgid() == os.getegid() > 0, os.getgroups(), len(set(os.getresuid())), os.getpriority(os.PRIO_PROCESS, 0))
      print(os.sched_getscheduler(0), os.get_exec_path(), len(os.sched_getaffinity(0)) == os.cpu_count(), os.ctermid())
      try: print(os.getlogin())
      except OSError as error: print(error)
    `,
  },
  'what /proc says of it': {
    code: python`
      import os
      keep = ('Umask', 'State', 'Tgid', 'Groups', 'Threads', 'Sig', 'Shd', 'Cap', 'NoNewPrivs', 'Seccomp:', 'Speculation', 'CoreDumping', 'THP', 'TracerPid')
      print([l for l in open('/proc/self/status') if l.startswith(keep) and not l.startswith(('Tgid', 'SigQ'))])
      print(open('/proc/self/comm').read(), os.readlink('/proc/self/exe'), os.readlink('/proc/self/cwd'))
      print(open('/proc/self/coredump_filter').read(), open('/proc/self/loginuid').read())
      print(os.stat('/proc/self').st_uid == os.getuid(), os.access('/proc/self/mem', os.W_OK), oct(os.stat('/proc/self/fd/1').st_mode))
      print(open('/proc/self/limits').read())
    `,
  },
  'open descriptors': {
    code: 'import os\nprint(sorted(os.listdir("/proc/self/fd"), key=int))\nprint(os.open("/dev/null", 0))',
  },
  'descriptors of a child': {
    code: 'import subprocess\nprint(subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, close_fds=False).stdout)',
  },
  'resource limits': {
    code: 'import resource\nprint([(n, resource.getrlimit(getattr(resource, n))) for n in dir(resource) if n.startswith("RLIMIT_")])',
  },
  'resource usage and clocks start small': {
    code: python`
      import resource, time, os
      u = resource.getrusage(resource.RUSAGE_SELF)
      c = resource.getrusage(resource.RUSAGE_CHILDREN)
      print(time.process_time() < 1, time.thread_time() < 1, u.ru_utime + u.ru_stime < 1, c.ru_utime + c.ru_stime < 1, sum(os.times()[:4]) < 1, time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) < 1, u.ru_maxrss < 65536)
    `,
  },
  'signal dispositions': {
    code: python`
      import signal
      print([(s, signal.getsignal(s)) for s in sorted(signal.valid_signals())])
      print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending(), signal.getitimer(signal.ITIMER_REAL), signal.set_wakeup_fd(-1))
    `,
  },
  'signal dispositions of children': {
    code: python`
      import os, subprocess, sys
      grep = ['grep', '-E', 'Sig[BIC]|Shd', '/proc/self/status']
      print(subprocess.run(grep, capture_output=True, text=True).stdout)
      print(subprocess.run(grep, capture_output=True, text=True, restore_signals=False).stdout)
      print(os.popen(' '.join(grep)).read())
      sys.stdout.flush()
      os.posix_spawnp('grep', grep, os.environ); os.wait()
    `,
  },
  'signal handlers': {
    code: python`
      import os, signal, threading, time
      seen = []
      def handler(number, frame): seen.append((signal.Signals(number).name, frame.f_code.co_name, threading.current_thread().name))
      for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE):
          print(signal.signal(s, handler))
          os.kill(os.getpid(), s)
      signal.raise_signal(signal.SIGUSR1)
      signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
      signal.setitimer(signal.ITIMER_REAL, 0.02); time.sleep(0.1)
      print(seen)
      t = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGUSR1)); t.start(); t.join(); time.sleep(0.01)
      print(seen[-1])
      signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); os.kill(os.getpid(), signal.SIGUSR1)
      print(signal.sigpending(), signal.sigwait([signal.SIGUSR1]), signal.sigtimedwait([signal.SIGUSR1], 0))
    `,
  },
  'a handler set in a thread': {
    code: 'import signal, threading\ndef f():\n    try: signal.signal(signal.SIGTERM, lambda *a: None)\n    except ValueError as error: print(error)\nt = threading.Thread(target=f); t.start(); t.join()',
  },
  'a wakeup descriptor': {
    code: 'import os, signal\nr, w = os.pipe(); os.set_blocking(w, False)\nsignal.set_wakeup_fd(w); signal.signal(signal.SIGUSR1, lambda *a: None)\nos.kill(os.getpid(), signal.SIGUSR1)\nprint(os.read(r, 9))',
  },
  'children that end': {
    code: 'import os, signal, time\nsignal.signal(signal.SIGCHLD, lambda *a: print("child", os.waitpid(-1, 0)[1]))\nif os.fork() == 0: os._exit(4)\nfor _ in range(100): time.sleep(0.01)\ntry: os.wait()\nexcept ChildProcessError as error: print(error)',
  },
  'no child at the start': {
    code: 'import os\ntry: os.wait()\nexcept ChildProcessError as error: print(error)',
  },
  'fork by hand': {
    code: 'import os, sys\nprint("before", flush=True)\npid = os.fork()\nif pid == 0:\n    print("child", os.getppid() > 1)\n    sys.stdout.flush(); os._exit(0)\nos.waitpid(pid, 0)\nprint("parent")',
  },
  'fork with hooks and threads': {
    code: python`
      import os, threading
      go, begin = os.pipe()
      def hook(when):
          if when == 'after_in_child': os.read(go, 1)
          os.write(1, (when + '\n').encode())
          if when == 'after_in_parent': os.write(begin, b'.')
      for when in ('before', 'after_in_parent', 'after_in_child'):
          os.register_at_fork(**{when: lambda when=when: hook(when)})
      def f():
          pid = os.fork()
          if pid == 0:
              os.write(1, repr((threading.current_thread() is threading.main_thread(), threading.active_count())).encode() + b'\n'); os._exit(0)
          os.waitpid(pid, 0)
      t = threading.Thread(target=f); t.start(); t.join()
    `,
  },
  'hooks of fork that are there already': {
    code: python`
      import os, random, threading, logging
      random.seed(1)
      r, w = os.pipe()
      if os.fork() == 0: os.write(w, str(random.random()).encode()); os._exit(0)
      os.wait()
      print(os.read(r, 99).decode() == str(random.random()))
    `,
  },
  subprocess: {
    code: python`
      import subprocess, sys
      print(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, input(), sys.flags); sys.exit(3)', 'a'], input='in\n', capture_output=True, text=True))
      print(subprocess.run('echo out; echo err >&2; kill -9 $$', shell=True, capture_output=True))
      try: subprocess.run(['sleep', '9'], timeout=0.05)
      except subprocess.TimeoutExpired as error: print(type(error), error.cmd)
      try: subprocess.run(['nothing-of-this-name'])
      except FileNotFoundError as error: print(error)
      try: subprocess.check_output(['false'])
      except subprocess.CalledProcessError as error: print(error)
      p = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(p.communicate(b'x' * 100000)[0].__len__(), p.returncode)
      p = subprocess.Popen(['sleep', '9']); p.terminate(); print(p.wait())
      print(subprocess.getoutput('pwd; umask; ulimit -n -c -f; id -G | wc -w'))
    `,
  },
  'subprocess with options': {
    code: python`
      import os, subprocess
      def show(**options): print(subprocess.run(['sh', '-c', 'pwd; umask; echo $A; ps 2>/dev/null; test $(cut -d" " -f6 /proc/$$/stat) = $$ && echo leader'], capture_output=True, text=True, **options))
      show(cwd='/tmp', umask=0o077, env={'A': '1', 'PATH': os.environ['PATH']})
      show(start_new_session=True, preexec_fn=lambda: os.umask(0o027))
      r, w = os.pipe()
      subprocess.run(['sh', '-c', f'echo through >&{w}'], pass_fds=[w]); print(os.read(r, 99))
    `,
  },
  'a child of the same program': {
    code: 'import subprocess, sys\nif sys.argv[1:]: print("inner", sys.argv, __file__)\nelse: subprocess.run([sys.executable, *sys.argv, "x"]); subprocess.run([sys.executable, __file__, "y"])',
  },
  'orphans go to process 1': {
    code: 'import os, time\nr, w = os.pipe()\nif os.fork() == 0:\n    if os.fork() == 0:\n        while os.getppid() != 1: time.sleep(0.001)\n        os.write(w, b"adopted"); os._exit(0)\n    os._exit(0)\nos.wait()\nprint(os.read(r, 99))',
  },
  threads: {
    code: python`
      import os, threading
      print(repr(threading.current_thread())[:33], threading.enumerate() == [threading.main_thread()], threading.current_thread() is threading.main_thread())
      print(threading.main_thread().ident == threading.get_ident(), threading.main_thread().native_id == threading.get_native_id() == os.getpid(), threading.main_thread().daemon, threading.main_thread().is_alive())
      print(threading.stack_size(), threading.gettrace(), threading.excepthook, len(os.listdir('/proc/self/task')))
      t = threading.Thread(target=lambda: print(threading.current_thread().name, threading.get_native_id() != os.getpid()), name=None)
      print(t.name); t.start(); t.join()
      local = threading.local(); local.x = 1
      threads = [threading.Thread(target=lambda: seen.append(hasattr(local, 'x'))) for _ in range(20)]; seen = []
      [t.start() for t in threads]; [t.join() for t in threads]; print(seen.count(False), threads[-1].name)
      print(threading.Timer(0.01, print, ['timer']).start())
      import contextvars; print(len(contextvars.copy_context()))
    `,
  },
  'a thread pool': {
    code: 'from concurrent.futures import ThreadPoolExecutor\nimport threading\nwith ThreadPoolExecutor(4) as p: print(list(p.map(lambda x: x*x, range(5))), p.submit(lambda: threading.current_thread().name[:20]).result())',
  },
  'a process pool': {
    code: 'from concurrent.futures import ProcessPoolExecutor\ndef f(x):\n    if x == 3: raise ValueError(x)\n    return x * x\nif __name__ == "__main__":\n    with ProcessPoolExecutor(2) as p: print(list(p.map(f, range(3)))); print(repr(p.submit(f, 3).exception()), p.submit(f, 3).exception().__cause__)',
  },
  'a broken process pool': {
    code: 'import os\nfrom concurrent.futures import ProcessPoolExecutor\nif __name__ == "__main__":\n    with ProcessPoolExecutor(1) as p: print(repr(p.submit(os._exit, 1).exception()))',
  },
  'multiprocessing: defaults': {
    code: 'import multiprocessing as m\nprint(m.get_start_method(), m.current_process(), m.parent_process(), m.cpu_count() > 0, m.active_children(), m.current_process().name, m.current_process().authkey.__class__)',
  },
  'multiprocessing by fork': {
    code: 'import multiprocessing as m\nstate = []\ndef f(x): return x * x, state, __name__\nif __name__ == "__main__":\n    state.append(1)\n    with m.get_context("fork").Pool(2) as p: print(p.map(f, range(4)))',
  },
  'multiprocessing by spawn': {
    code: 'import multiprocessing as m\nstate = []\nclass A:\n    def __init__(self, x): self.x = x\ndef f(a): return a.x * 2, state, __name__, a.__class__.__module__\nif __name__ == "__main__":\n    state.append(1)\n    with m.get_context("spawn").Pool(2) as p: print(p.map(f, [A(1), A(2)]))',
  },
  'multiprocessing by forkserver': {
    code: 'import multiprocessing as m\ndef f(x): return x * 2, __name__\nif __name__ == "__main__":\n    with m.get_context("forkserver").Pool(1) as p: print(p.map(f, range(2)))',
  },
  'multiprocessing by spawn without a guard': {
    code: 'import multiprocessing as m\np = m.get_context("spawn").Process(target=print)\np.start(); p.join(); print(p.exitcode)',
  },
  'multiprocessing by spawn: sys.path, argv and directory': {
    code: 'import multiprocessing as m, sys, os\ndef f(): print(sys.argv, sys.path[0], os.getcwd(), __file__, sys.flags, sys.orig_argv[:2], m.parent_process().name)\nif __name__ == "__main__":\n    p = m.get_context("spawn").Process(target=f); p.start(); p.join(); print(p.exitcode)',
    args: ['a'],
  },
  'multiprocessing: queues, locks, values, managers': {
    code: python`
      import multiprocessing as m
      def f(q, lock, value, d, conn):
          with lock: value.value += 1
          d['k'] = 1; q.put('from child'); conn.send({'a': [1]}); raise SystemExit(4)
      if __name__ == '__main__':
          with m.Manager() as manager:
              q, lock, value, d = m.Queue(), m.Lock(), m.Value('i', 1), manager.dict()
              a, b = m.Pipe()
              p = m.Process(target=f, args=(q, lock, value, d, b)); p.start()
              print(q.get(), a.recv()); p.join(); print(p.exitcode, value.value, dict(d), p.name)
          from multiprocessing import shared_memory
          s = shared_memory.SharedMemory(create=True, size=10); s.buf[0] = 1; print(bytes(s.buf[:2])); s.close(); s.unlink()
    `,
  },
  'multiprocessing: an error in the child': {
    code: 'import multiprocessing as m\ndef f(): 1/0\nif __name__ == "__main__":\n    p = m.Process(target=f, name="child"); p.start(); p.join(); print(p.exitcode)\n    with m.Pool(1) as pool: pool.apply(f)',
  },
  'multiprocessing: children at the end': {
    code: 'import multiprocessing as m, time\ndef f(): time.sleep(0.05); print("child")\nif __name__ == "__main__":\n    m.Process(target=f).start()\n    m.Process(target=time.sleep, args=(60,), daemon=True).start()\n    print("main")',
  },
  'multiprocessing: a left shared memory': {
    code: 'from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=10, name="left")\nprint("main")',
  },
  'os.system, popen and spawn': {
    code: 'import os\nprint(os.system("exit 3"), os.popen("echo x").read(), os.spawnlp(os.P_WAIT, "true", "true"), os.posix_spawn("/bin/true", ["true"], {}) > 0)',
  },
  'a pseudo terminal': {
    code: 'import os, pty\ntry:\n    print(pty.spawn(["sh", "-c", "test -t 1 && echo tty"]))\nexcept OSError as error: print(error)',
  },
  'dumpable and ptrace': {
    code: 'import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.prctl(3, 0, 0, 0, 0), libc.prctl(39, 0, 0, 0, 0), libc.prctl(1, 0, 0, 0, 0))\nn = ctypes.create_string_buffer(16); libc.prctl(16, n); print(n.value)',
  },
  'the network': {
    code: 'import socket\nprint(socket.if_nameindex())\ns = socket.socket(); s.settimeout(1)\ntry: s.connect(("10.1.2.3", 80))\nexcept OSError as error: print(error)\na = socket.create_server(("127.0.0.1", 0)); b = socket.create_connection(a.getsockname()); print(a.accept()[0].send(b"x"), b.recv(9))\nprint(socket.gethostname() != "", socket.gethostbyname("localhost"))',
  },
};
