# tries: to leave the container by handles of files (the "shocker") and by paths through other processes
# threats: 4
# ends: exited 0
# shows: tried \d+, allowed nothing
import ctypes
import os
import struct
from kit import attempt, syscall, verdict

root = os.open('/', os.O_RDONLY)
for inode in (1, 2, 128):
    handle = struct.pack('IiQ', 8, 1, inode)
    attempt(f'open_by_handle_at {inode}', syscall, 'open_by_handle_at', root, handle, 0)
attempt('name_to_handle_at', syscall, 'name_to_handle_at', root, b'etc', struct.pack('Ii128s', 128, 0, b''), b'\0' * 8, 0)
for path in ('/proc/1/root/etc/shadow', '/proc/1/cwd/etc', '/proc/self/fd/7', '/proc/self/fd/8/etc', '/proc/kcore', '/proc/kmem', '/proc/1/fd/7/etc/passwd', '/sys/firmware/dmi', '/etc/shadow', '/root/.bashrc'):
    attempt(path, lambda path: os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1), path)
verdict()
