# tries: to create POSIX timers, timerfds and eventfds until they are refused, all armed, and to leave them to a detached process
# threats: 12 26
# ends: exited 0
# shows: timers refused: True
# shows: timerfds refused: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import ctypes
import os
import struct
import time
from kit import libc

# gVisor's kernel is part of the sandbox, so that what it keeps for timers counts as the sandbox's memory.

if os.fork() != 0:
    os.wait()
    os._exit(0)
timer, made = ctypes.c_void_p(), 0
spec = struct.pack('4q', 0, 1_000_000, 0, 1_000_000)
event = struct.pack('qii48x', 0, 0, 1)
while made < 200_000 and libc.timer_create(1, event, ctypes.byref(timer)) == 0:
    libc.timer_settime(timer, 0, spec, None)
    made += 1
print('timers refused:', made < 200_000, flush=True)
count = 0
while count < 100_000:
    fd = libc.timerfd_create(1, 0)
    if fd < 0:
        break
    libc.timerfd_settime(fd, 0, spec, None)
    count += 1
print('timerfds refused:', count < 100_000, flush=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
os._exit(0)
