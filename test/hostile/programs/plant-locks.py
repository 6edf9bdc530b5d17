# tries: to hold locks, leases and watches on all that it can open, in a process that has detached
# threats: 12 13
# ends: exited 0
# shows: held some: True
import ctypes
import fcntl
import os
import time
from kit import libc

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        held = []
        for path in ('/tmp', '/workspace', '/dev/shm', '/', '/berth/runner', '/berth/launchers/python.py', '/usr/bin/python3', '/etc/passwd', '/dev/null', '/proc'):
            try:
                fd = os.open(path, os.O_RDONLY)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(fd)
            except OSError:
                pass
        with open('/tmp/locked', 'w') as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            watch = libc.inotify_init()
            for path in (b'/tmp', b'/workspace', b'/dev/shm', b'/', b'/berth', b'/proc', b'/dev/null'):
                libc.inotify_add_watch(watch, path, 0xFFF)
            for path in ('/tmp', '/workspace'):
                try:
                    fcntl.fcntl(os.open(path, os.O_RDONLY), fcntl.F_NOTIFY, 0x8000003F)
                except OSError:
                    pass
            os.write(write, b'%d' % len(held))
            time.sleep(600)
    os._exit(0)
os.close(write)
print('held some:', int(os.read(read, 10)) > 3)
