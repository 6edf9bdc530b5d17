# tries: system calls at random with arguments at random, in children, for a while
# threats: 5
# limits: {"wallMs": 20000}
# ends: exited 0
# shows: played
import ctypes
import os
import random
from kit import libc

random.seed(4711)
own = set(range(3))
for _ in range(30):
    child = os.fork()
    if child == 0:
        os.closerange(0, 3)
        ctypes.CDLL(None).alarm(1)
        for _ in range(3_000):
            number = random.randrange(0, 460)
            # Not to wait for ever: pause, sleeps, and reads from what never comes are cut by the alarm.
            arguments = [random.choice((0, 1, 2, -1, 4096, random.getrandbits(63), id(own))) for _ in range(6)]
            libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
        os._exit(0)
for _ in range(30):
    os.wait()
print('played')
