# tries: to take all memory in many processes, each of them small
# threats: 7 8
# limits: {"wallMs": 8000}
# ends: out_of_memory or exited 0 or wall_timeout
import os
import time

for _ in range(60):
    try:
        if os.fork() == 0:
            hoard = bytearray(os.urandom(1 << 20) * 12)
            time.sleep(600)
    except OSError:
        break
time.sleep(0.5)
