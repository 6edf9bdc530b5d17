# tries: to keep space with files that have no name any more, and mappings of them, in a process that has detached
# threats: 9 12 13
# ends: exited 0
# shows: held
import mmap
import os
import time

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    for place in ('/tmp', '/workspace', '/dev/shm'):
        fd = os.open(place + '/ghost', os.O_RDWR | os.O_CREAT)
        os.write(fd, b'x' * (8 << 20))
        os.unlink(place + '/ghost')
        area = mmap.mmap(fd, 8 << 20)
        os.mkdir(place + '/gone')
        os.chdir(place + '/gone')
        os.rmdir(place + '/gone')
        try:
            os.open(place, os.O_TMPFILE | os.O_RDWR)
        except OSError:
            pass
    os.write(write, b'held')
    time.sleep(600)
print(os.read(read, 10).decode())
