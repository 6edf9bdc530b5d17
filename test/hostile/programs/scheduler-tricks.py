# tries: to raise its own priority and to lower that of runner and launcher, for CPU, input and output, and cores
# threats: 4 6 26
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows gvisor: tried \d+, allowed (?:nothing|nice = -5(?:, setpriority (\d+) = None, cores of \1 = None)+)
import os
from kit import attempt, others, outcome, syscall, verdict

# Of priorities and cores gVisor writes down what is asked for, schedules by none of it, and the reset finds it; the rest it
# refuses.

attempt('nice', os.nice, -5)
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    attempt(f'scheduler {policy}', os.sched_setscheduler, 0, policy, os.sched_param(10))
attempt('ioprio realtime', syscall, 'ioprio_set', 1, 0, 1 << 13)
for pid in others():
    attempt(f'setpriority {pid}', os.setpriority, os.PRIO_PROCESS, pid, 19)
    attempt(f'scheduler of {pid}', os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0))
    attempt(f'cores of {pid}', os.sched_setaffinity, pid, {0})
    attempt(f'ioprio of {pid}', syscall, 'ioprio_set', 1, pid, 3 << 13)
verdict()
os.nice(19)
outcome(os.sched_setscheduler, 0, os.SCHED_IDLE, os.sched_param(0))
outcome(os.sched_setaffinity, 0, {min(os.sched_getaffinity(0))})
