# tries: to leave objects that outlive their processes: System V memory, semaphores and queues, message queues, and named ones
# threats: 13 26
# ends: exited 0
# shows: some of each: True True True
import ctypes
import os
from kit import MARK, libc

libc.mq_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
libc.shmat.restype = ctypes.c_void_p
memory = semaphores = queues = 0
for key in range(1, 200):
    mode = 0o1000 | (0 if key % 2 else 0o666)
    segment = libc.shmget(key, 4096, mode)
    if segment >= 0:
        memory += 1
        address = libc.shmat(segment, None, 0)
        if key % 2 == 0 and address not in (None, ctypes.c_void_p(-1).value):
            ctypes.memmove(address, MARK.encode(), len(MARK))
    semaphores += libc.semget(key, 30, mode) >= 0
    queue = libc.msgget(key, mode)
    queues += queue >= 0
    libc.msgsnd(queue, (8).to_bytes(8, 'little') + MARK.encode(), len(MARK), 0o4000)
for number in range(300):
    if libc.mq_open(b'/planted%d' % number, os.O_CREAT | os.O_RDWR, 0 if number % 2 else 0o666, None) < 0:
        break
try:
    os.mkdir('/dev/mqueue/planted')
except OSError:
    pass
print('some of each:', memory > 10, semaphores > 10, queues > 10)
