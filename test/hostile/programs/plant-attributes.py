# tries: to make files immutable, append-only or undeletable by flags, extended attributes and access lists
# threats: 13
# ends: exited 0
# shows: flags: (refused|set)
# shows: tried \d+, allowed nothing
import fcntl
import os
import struct
from kit import attempt, verdict

GET, SET, IMMUTABLE, APPEND = 0x80086601, 0x40086602, 0x10, 0x20
result = 'refused'
for place in ('/tmp', '/workspace', '/dev/shm'):
    path = place + '/kept'
    with open(path, 'w') as file:
        for flag in (IMMUTABLE, APPEND):
            attempt(f'flag {flag} {place}', fcntl.ioctl, file.fileno(), SET, struct.pack('l', flag))
        for harmless in (0x40, 0x80):
            try:
                fcntl.ioctl(file.fileno(), SET, struct.pack('l', harmless))
                result = 'set'
            except OSError:
                pass
    for name in ('trusted.kept', 'security.kept', 'security.capability', 'security.ima'):
        attempt(f'{name} {place}', os.setxattr, path, name, b'x')
    for name in ('user.kept', 'system.posix_acl_access'):
        try:
            os.setxattr(path, name, b'x')
        except OSError:
            pass
    try:
        fd = os.open(path, os.O_RDONLY)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        pass
    sealed = os.memfd_create('sealed', os.MFD_ALLOW_SEALING)
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK)
print('flags:', result)
verdict()
