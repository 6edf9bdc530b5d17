# tries: to adopt orphans as a subreaper, to be undumpable, to take the runner's name, and to leave such processes behind
# threats: 6 12 13
# ends: exited 0
# shows: subreaper 0
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import os
import time
from kit import libc

SUBREAPER, DUMPABLE, NAME, PDEATHSIG, TIMERSLACK, MCE, THP = 36, 4, 15, 1, 29, 33, 41
print('subreaper', libc.prctl(SUBREAPER, 1, 0, 0, 0), flush=True)
libc.prctl(TIMERSLACK, 1_000_000_000, 0, 0, 0)
libc.prctl(THP, 1, 0, 0, 0)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        libc.prctl(SUBREAPER, 1, 0, 0, 0)
        libc.prctl(DUMPABLE, 0, 0, 0, 0)
        libc.prctl(NAME, b'runner', 0, 0, 0)
        if os.fork() == 0:
            libc.prctl(NAME, b'python3', 0, 0, 0)
        time.sleep(600)
