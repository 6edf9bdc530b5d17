# tries: system calls at random with arguments at random, in children, for a while
# threats: 5
# limits: {"wallMs": 20000}
# ends: exited 0
# shows: played
# ends gvisor: exited 0 or out_of_memory or wall_timeout
# shows gvisor: anything
import ctypes
import os
import random
import signal
import time
from kit import libc

# Signals 1 and 2 are among the arguments, and 0 and -1 among the processes: a child may hit this one.
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
random.seed(4711)
own, children = b'x' * 4096, []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os.closerange(0, 3)
        for _ in range(2_000):
            arguments = [random.choice((0, 1, 2, -1, 4096, random.getrandbits(63), id(own))) for _ in range(6)]
            libc.syscall(ctypes.c_long(random.randrange(0, 460)), *map(ctypes.c_long, arguments))
        os._exit(0)
    children.append(child)
# Most of them will wait for something that never comes.
deadline = time.monotonic() + 1
while children and time.monotonic() < deadline:
    children = [child for child in children if os.waitpid(child, os.WNOHANG) == (0, 0)]
    time.sleep(0.01)
for child in children:
    os.kill(child, 9)
print('played')
