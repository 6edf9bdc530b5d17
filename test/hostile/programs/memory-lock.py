# tries: to lock memory, so that it can never be given back, in many processes
# threats: 8
# ends: exited 0 or out_of_memory
import os
import time
from kit import libc

for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        libc.mlockall(7)
        hoard = bytearray(4 << 20)
        time.sleep(600)
time.sleep(0.2)
