# tries: to set the clock, its speed, and the names of the host and its domain
# threats: 4
# ends: exited 0
# shows: tried \d+, allowed nothing
import os
import struct
import time
from kit import attempt, syscall, verdict

attempt('clock_settime', time.clock_settime, time.CLOCK_REALTIME, 0)
attempt('settimeofday', syscall, 'settimeofday', struct.pack('2q', 0, 0), 0)
attempt('adjtimex', syscall, 'adjtimex', struct.pack('I', 0x4002) + bytes(300))
attempt('clock_adjtime', syscall, 'clock_adjtime', 0, struct.pack('I', 0x4002) + bytes(300))
attempt('sethostname', syscall, 'sethostname', b'other', 5)
attempt('setdomainname', syscall, 'setdomainname', b'other', 5)
for path in ('/etc/hostname', '/etc/hosts', '/etc/resolv.conf', '/etc/localtime', '/etc/passwd', '/etc/ld.so.preload'):
    attempt(f'write {path}', open, path, 'a')
verdict()
