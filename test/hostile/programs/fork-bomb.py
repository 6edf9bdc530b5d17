# tries: to fork until the kernel refuses, and to leave all the children behind
# threats: 7 12
# ends: exited 0
# shows: EAGAIN after more than fifty: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import errno
import os
import time

made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except OSError as refusal:
    print(errno.errorcode[refusal.errno], 'after more than fifty:', made > 50)
