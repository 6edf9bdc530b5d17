# tries: to make its own end impossible with a filter of its own that refuses exit
# threats: 12
# limits: {"wallMs": 800}
# ends: wall_timeout or signalled SIGSEGV or signalled SIGILL or signalled SIGTRAP
# shows: filter 0
import ctypes
import os
import struct
from kit import libc

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
exits = (60, 231) if os.uname().machine == 'x86_64' else (93, 94)
program = struct.pack('HBBI', LOAD, 0, 0, 0)
program += struct.pack('HBBI', EQUAL, 1, 0, exits[0])
program += struct.pack('HBBI', EQUAL, 0, 1, exits[1])
program += struct.pack('HBBI', RETURN, 0, 0, 0x00050000 | 1)
program += struct.pack('HBBI', RETURN, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(program, len(program))
header = struct.pack('HxxxxxxP', len(program) // 8, ctypes.addressof(buffer))
print('filter', libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0), flush=True)
while True:
    os._exit(0)
