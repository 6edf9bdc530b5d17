# tries: to use up the queue of signals that the host grants a user
# threats: 26
# ends: exited 0
# shows: refused: True
import ctypes
import os
import signal
import time
from kit import libc

libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
read, write = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(signal.SIGRTMIN, signal.SIGRTMAX))
        count = 0
        while count < 400_000 and libc.sigqueue(os.getpid(), signal.SIGRTMIN + 1, None) == 0:
            count += 1
        os.write(write, b'%d ' % count)
        time.sleep(600)
text = b''
while text.count(b' ') < 3:
    text += os.read(read, 1_000)
print('refused:', all(int(count) < 400_000 for count in text.split()))
