# tries: to open its pipes anew by way of /proc, to make them larger, to fill them from the wrong end, and to make them non-blocking
# threats: 6 10
# ends: exited 0
# shows: anew
# shows: input is empty: True
# ends gvisor: exited 0 or exited 1
# shows gvisor: anything
import fcntl
import os

with open('/proc/self/fd/1', 'w') as again:
    print('anew', file=again)
for fd in range(3):
    try:
        fcntl.fcntl(fd, 1031, 1 << 20)
    except OSError:
        pass
for fd in (1, 2):
    os.set_blocking(fd, False)
for fd, path in ((0, '/proc/self/fd/0'), (1, '/proc/self/fd/1')):
    try:
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        continue
    os.close(reader)
print('input is empty:', os.read(0, 10) == b'', flush=True)
