# tries: to make the memory limit find the launcher: many processes smaller than it, with as good a score as they may have
# threats: 6 7 8
# limits: {"wallMs": 8000}
# ends: out_of_memory or exited 0 or sandbox_lost or wall_timeout
# ends gvisor: out_of_memory or exited 0 or wall_timeout
import os
import time

for score in range(-1000, 1001, 100):
    try:
        with open('/proc/self/oom_score_adj', 'w') as file:
            file.write(str(score))
        break
    except OSError:
        pass
for _ in range(100):
    try:
        if os.fork() == 0:
            hoard = bytearray(os.urandom(3 << 20))
            time.sleep(600)
    except OSError:
        break
time.sleep(0.5)
