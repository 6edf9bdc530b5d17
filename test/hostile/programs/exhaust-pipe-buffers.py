# tries: to use up the pipe buffers that the host grants a user
# threats: 26
# ends: exited 0 or out_of_memory
# shows: refused: True
# shows gvisor: refused: (True|False)
import fcntl
import os
import time

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    pipes = 0
    try:
        while True:
            reader, writer = os.pipe()
            fcntl.fcntl(writer, 1031, 1 << 20)
            pipes += 1
    except OSError:
        pass
    try:
        while True:
            os.pipe()
    except OSError:
        pass
    os.write(write, b'%d' % pipes)
    time.sleep(600)
print('refused:', int(os.read(read, 10)) < 500)
