import type { FidelityProgram } from '../program.js';
import { python } from './python.js';

const MIB = 1024 * 1024;

/** Standard input, output and error. */
export const STREAMS: Record<string, FidelityProgram> = {
  'modes and buffering': {
    code: python`
      import sys
      for s in (sys.stdin, sys.stdout, sys.stderr):
          print(s, s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.closed, s.isatty(), s.fileno(), s.readable(), s.writable(), s.seekable())
          print(s.buffer, s.buffer.raw, s.buffer.raw.closefd, s.buffer.raw.mode, s._CHUNK_SIZE)
      print(sys.__stdin__ is sys.stdin, sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr)
    `,
  },
  'what kind of files they are': {
    code: python`
      import fcntl, os, stat, select
      for fd in (0, 1, 2):
          s = os.fstat(fd)
          print(fd, stat.S_ISFIFO(s.st_mode), oct(s.st_mode), s.st_uid == os.getuid(), os.isatty(fd), os.get_inheritable(fd), os.get_blocking(fd), fcntl.fcntl(fd, fcntl.F_GETFL))
      print(select.select([0], [], []), select.select([0], [1], []))
      try: os.ttyname(0)
      except OSError as error: print(error)
      try: os.get_terminal_size()
      except OSError as error: print(error)
      import shutil, getpass, pwd
      print(shutil.get_terminal_size())
    `,
  },
  'no newline at the end': { code: 'print("no newline", end="")' },
  'stdout and stderr in turns': {
    code: 'import sys\nfor i in range(100): print(i); print(i, file=sys.stderr)',
  },
  'written in every way': {
    code: python`
      import os, sys
      print('print'); sys.stdout.write('write\n'); sys.stdout.flush()
      sys.stdout.buffer.write(b'buffer\n'); sys.stdout.buffer.flush()
      os.write(1, b'os.write\n'); sys.__stdout__.write('again\n')
      open(1, 'w', closefd=False).write('by descriptor\n')
      open('/dev/stdout', 'w').write('by /dev/stdout\n'); open('/proc/self/fd/2', 'w').write('by /proc\n')
      sys.stdout.writelines(['a\n', 'b\n'])
      import ctypes; libc = ctypes.CDLL(None); libc.puts(b'from C'); libc.printf(b'%d\n', 42)
    `,
  },
  'the order of print, os.write and children': {
    code: 'import os, subprocess\nprint("buffered")\nos.write(1, b"direct\\n")\nsubprocess.run(["echo", "child"])\nprint("last")',
  },
  'C output that stays in its buffer': {
    code: 'import ctypes, os\nctypes.CDLL(None).printf(b"kept until exit")\nos.write(1, b"first\\n")',
  },
  'bytes that are no UTF-8': {
    code: 'import sys\nsys.stdout.buffer.write(bytes(range(256)) * 40)\nsys.stderr.buffer.write(b"\\xff\\xfe\\n")',
  },
  surrogates: { code: 'print("ü€😀")\nimport sys\nprint("\\udcff", file=sys.stderr)\nprint("\\udcff")' },
  'stdout reconfigured': {
    code: python`
      import sys
      sys.stdout.reconfigure(encoding='latin-1', errors='replace', newline='\r\n', line_buffering=True)
      print('ü€'); print(sys.stdout.encoding)
      sys.stdout.reconfigure(write_through=True); print('x', end=''); import os; os.write(1, b'y')
    `,
  },
  'stdout replaced': {
    code: 'import io, sys\nsys.stdout = io.StringIO()\nprint("lost")\nsys.__stdout__.write("kept\\n")',
  },
  'stdout detached': {
    code: 'import sys\nb = sys.stdout.detach()\nb.write(b"raw\\n")\nb.flush()\nprint("fails")',
  },
  'stdout that is None': { code: 'import sys\nprint("x", flush=True)\nsys.stdout = None\nprint("y")' },
  'stdout deleted': { code: 'import sys\ndel sys.stdout\nprint("x")' },
  'stdout closed': { code: 'import sys\nprint("x")\nsys.stdout.close()' },
  'print after close': { code: 'import sys\nsys.stdout.close()\nprint("x")' },
  'descriptor 1 closed: status 120': { code: 'import os\nprint("lost")\nos.close(1)' },
  'descriptor 2 closed': { code: 'import os\nos.close(2)\nprint("x")\n1/0' },
  'all descriptors closed': { code: 'import os\nprint("x", flush=True)\nos.closerange(0, 100)' },
  'stderr closed': { code: 'import sys\nsys.stderr.close()\n1/0' },
  'stderr that is None': { code: 'import sys\nsys.stderr = None\n1/0' },
  'stderr replaced': { code: 'import io, sys\nsys.stderr = io.StringIO()\n1/0' },
  'output to a full device': { code: 'import sys\nsys.stdout = open("/dev/full", "w")\nprint("x")' },
  'a broken pipe of its own': { code: 'import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b"x")' },
  'stdout as a broken pipe': {
    code: 'import os\nr, w = os.pipe()\nos.dup2(w, 1); os.close(w); os.close(r)\nprint("x")',
  },
  'stdout sent to a file': {
    code: 'import os\nfd = os.open("out", os.O_WRONLY | os.O_CREAT)\nos.dup2(fd, 1)\nprint("in the file")\nimport atexit\natexit.register(lambda: os.write(2, open("out", "rb").read()))',
  },
  'files left open': {
    code: 'f = open("out", "w"); f.write("kept")\nimport atexit, os\natexit.register(lambda: print(os.path.getsize("out")))',
  },
  'a file in a cycle is flushed': {
    code: python`
      import os
      pid = os.fork()
      if pid: os.waitpid(pid, 0); print(open('out').read())
      else:
          class Holder: pass
          h = Holder(); h.me = h; h.file = open('out', 'w'); h.file.write('flushed')
    `,
  },
  '4 MiB through a pipe of its own and out': {
    code: 'import sys\nfor i in range(1024): sys.stdout.write(str(i) * 1024 + "\\n")',
  },
  'a long line without an end': { code: 'import sys\nsys.stdout.write("x" * 5_000_000)' },
  'one byte at a time': { code: 'import os\nfor i in range(2000): os.write(1, b"%d" % (i % 10))' },
  'stdin that is absent': { code: 'import sys\nprint(repr(sys.stdin.read()), repr(sys.stdin.readline()))' },
  'input at the end': {
    code: 'try: input("prompt> ")\nexcept EOFError as error: print(repr(error))\ninput()',
    stdin: '',
  },
  'input line by line': { code: 'print([input(), input("p: "), input()])', stdin: 'one\ntwö\nthree' },
  'stdin as an iterator': { code: 'import sys\nprint(list(sys.stdin), list(sys.stdin))', stdin: 'a\r\nb\nc' },
  'stdin of 4 MiB': {
    code: 'import sys, hashlib\nd = sys.stdin.buffer.read()\nprint(len(d), hashlib.sha256(d).hexdigest())',
    stdin: Buffer.alloc(4 * MIB, 'abc\n'),
  },
  'stdin that nobody reads': { code: 'print("done")', stdin: Buffer.alloc(MIB) },
  'stdin that is no UTF-8': {
    code: 'import sys\nprint(sys.stdin.buffer.peek(1))\ntry: sys.stdin.read()\nexcept UnicodeDecodeError as error: print(error)\ninput()',
    stdin: Buffer.from([0x61, 0xff, 0x0a]),
  },
  'stdin for a child': {
    code: 'import subprocess, sys\nprint(sys.stdin.readline(), flush=True)\nsubprocess.run(["cat"])',
    stdin: 'first\n',
  },
  'stdin by /dev/stdin and select': {
    code: 'import os, select\nselect.select([0], [], [])\nprint(open("/dev/stdin").read(), os.read(0, 10))',
    stdin: 'typed',
  },
  fileinput: {
    code: 'import fileinput\nfor line in fileinput.input(): print(fileinput.lineno(), line, end="")',
    stdin: 'a\nb\n',
  },
  'breakpoint without a terminal': { code: 'x = 1\nbreakpoint()\nprint("after")', stdin: 'p x\nw\nc\n' },
  'breakpoint at the end of stdin': { code: 'x = 1\nbreakpoint()\nprint("after")' },
  'pdb.post_mortem': {
    code: 'import pdb\ndef f(): 1/0\ntry: f()\nexcept ZeroDivisionError as error: pdb.post_mortem(error.__traceback__)',
    stdin: 'w\nq\n',
  },
  'an interactive console': { code: 'import code\ncode.interact(local={"x": 5})', stdin: 'x + 1\n1/0\n' },
  help: { code: 'help(len)\nhelp("while")' },
  getpass: {
    code: 'import getpass\ntry: print(getpass.getpass())\nexcept EOFError as error: print(repr(error))',
    stdin: 'secret\n',
  },
};
