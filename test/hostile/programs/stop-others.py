# tries: to stop runner and launcher with SIGSTOP, and then itself for ever
# threats: 6 12
# limits: {"wallMs": 600}
# ends: wall_timeout
# shows: stopped nobody else: True
import os
import signal
from kit import others

stopped = 0
for pid in others():
    try:
        os.kill(pid, signal.SIGSTOP)
        stopped += 1
    except PermissionError:
        pass
print('stopped nobody else:', stopped == 0, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
