# tries: to send every signal to the runner, the launcher and whatever else there is, by every call that can
# threats: 6
# ends: exited 0
# shows: tried \d{3,}, allowed nothing
import os
from kit import attempt, others, syscall, verdict

for pid in others():
    for number in range(1, 65):
        attempt(f'kill {pid} {number}', os.kill, pid, number)
        attempt(f'tkill {pid} {number}', syscall, 'tkill', pid, number)
    if pid != 1:  # kill -1 is another thing
        attempt(f'killpg {pid}', os.killpg, pid, 9)
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        continue
    attempt(f'pidfd_send_signal {pid}', syscall, 'pidfd_send_signal', handle, 9, 0, 0)
    attempt(f'pidfd_getfd {pid}', syscall, 'pidfd_getfd', handle, 1, 0)
verdict()
