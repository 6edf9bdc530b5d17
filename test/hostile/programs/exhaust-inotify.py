# tries: to use up the host's inotify instances and watches for a user, and to keep them in a detached process
# threats: 26
# ends: exited 0
# shows: refused: True
import os
import time
from kit import libc

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    made = []
    while len(made) < 100_000:
        fd = libc.inotify_init1(0)
        if fd < 0:
            break
        libc.inotify_add_watch(fd, b'/tmp', 0xFFF)
        made.append(fd)
    os.write(write, b'%d' % len(made))
    time.sleep(600)
print('refused:', 0 < int(os.read(read, 10)) < 100_000)
