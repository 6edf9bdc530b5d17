# tries: ptrace, process_vm_readv and writev, kcmp and process_madvise against every other process and a child of its own
# threats: 4 6
# ends: exited 0
# shows: tried \d{2,}, allowed nothing
# shows gvisor: tried \d{2,}, allowed .*
import os
import time
from kit import attempt, others, syscall, verdict

ATTACH, SEIZE = 16, 0x4206
child = os.fork()
if child == 0:
    time.sleep(600)
for pid in [*others(), child]:
    attempt(f'ptrace attach {pid}', syscall, 'ptrace', ATTACH, pid, 0, 0)
    attempt(f'ptrace seize {pid}', syscall, 'ptrace', SEIZE, pid, 0, 0)
    attempt(f'process_vm_readv {pid}', syscall, 'process_vm_readv', pid, 0, 0, 0, 0, 0)
    attempt(f'process_vm_writev {pid}', syscall, 'process_vm_writev', pid, 0, 0, 0, 0, 0)
    attempt(f'kcmp {pid}', syscall, 'kcmp', pid, os.getpid(), 0, 1, 1)
verdict()
