# tries: to write beyond the size that one file may have, the signal for it ignored
# threats: 9
# limits: {"fileBytes": 100000}
# ends: exited 0
# shows: EFBIG
# shows: 100000
import errno
import os
import resource
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open('big', 'wb', buffering=0) as file:
    try:
        while True:
            file.write(b'x' * 30_000)
    except OSError as refusal:
        print(errno.errorcode[refusal.errno])
print(os.stat('big').st_size)
