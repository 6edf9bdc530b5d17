# tries: to have, raise or inherit capabilities
# threats: 4
# ends: exited 0
# shows: 0+ 0+ 0+ 0+ 1
# shows: tried \d+, allowed nothing
import ctypes
import os
import struct
from kit import attempt, libc, verdict

status = dict(line.rstrip('\n').split(':\t', 1) for line in open('/proc/self/status') if ':\t' in line)
print(*(status.get(name, '0') for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')), status.get('NoNewPrivs', '1'))


def prctl(*arguments):
    if libc.prctl(*arguments, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'prctl')


def raise_all():
    header, data = struct.pack('Ii', 0x20080522, 0), struct.pack('6I', *[0xFFFFFFFF] * 6)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), 'capset')


attempt('capset', raise_all)
for capability in range(41):
    attempt(f'ambient {capability}', prctl, 47, 2, capability)
attempt('new privileges again', prctl, 38, 0, 0)
verdict()
