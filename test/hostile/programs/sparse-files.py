# tries: files of a terabyte: sparse, reserved, and copied onto themselves
# threats: 9
# ends: exited 0
# shows: sparse: .*
# shows: reserved: (ENOSPC|EFBIG|EINVAL|EOPNOTSUPP|ENODEV)
# shows: end: .*
# shows: room is left: True
import os
from kit import outcome

TERABYTE = 1 << 40
for place in ('/tmp', '/workspace', '/dev/shm'):
    with open(place + '/sparse', 'wb') as file:
        sparse = outcome(os.truncate, file.fileno(), TERABYTE)
        reserved = outcome(os.posix_fallocate, file.fileno(), 0, TERABYTE)
        end = outcome(os.pwrite, file.fileno(), b'x', TERABYTE - 1)
print('sparse:', sparse)
print('reserved:', reserved)
print('end:', end)
space = os.statvfs('/tmp')
print('room is left:', space.f_bfree > 0)
