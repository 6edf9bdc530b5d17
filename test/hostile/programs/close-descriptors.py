# tries: to confuse whoever watches by closing, exchanging and reopening its descriptors
# threats: 6 10
# ends: exited 0
# shows: once more
import os

out, error = os.dup(1), os.dup(2)
os.closerange(0, 3)
for fd in range(3, 1024):
    if fd not in (out, error):
        try:
            os.close(fd)
        except OSError:
            pass
for fd in range(3):
    os.dup2(out, fd)
os.write(0, b'once more\n')
os.closerange(0, 1024)
os._exit(0)
