# tries: to change the writable places themselves: their mode, owner and attributes, and to put others in their stead
# threats: 4 13
# ends: exited 0
# shows: tried \d+, allowed nothing
import os
from kit import attempt, verdict

for place in ('/tmp', '/workspace', '/dev/shm', '/dev/mqueue', '/berth', '/dev', '/'):
    attempt(f'chmod {place}', os.chmod, place, 0o777)
    attempt(f'chown {place}', os.chown, place, os.getuid(), os.getuid())
    attempt(f'utime {place}', os.utime, place, (0, 0))
    attempt(f'rename {place}', os.rename, place, place.rstrip('/') + '-moved')
    attempt(f'rmdir {place}', os.rmdir, place)
    for name in ('user.planted', 'trusted.planted'):
        attempt(f'{name} {place}', os.setxattr, place, name, b'x')
for place in ('/', '/berth', '/etc', '/usr', '/var', '/home', '/root', '/opt', '/run', '/var/tmp', '/srv', '/mnt', '/dev', '/proc', '/sys', '/var/lock', '/run/lock', '/var/spool', '/var/mail', '/boot'):
    attempt(f'file in {place}', open, place + '/planted', 'x')
    attempt(f'directory in {place}', os.mkdir, place + '/planted.d')
verdict()
