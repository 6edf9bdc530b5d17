# tries: system calls by the doors of other architectures: x32 numbers and int 0x80
# threats: 4 5
# ends: exited 0 or signalled SIGSEGV or signalled SIGSYS
# shows: x32 refused: True
import ctypes
import mmap
import os
from kit import libc

X32 = 0x40000000
refused = True
for number in (39, 165, 272, 321, 520):
    child = os.fork()
    if child == 0:
        # Killed for it, or refused.
        os._exit(libc.syscall(ctypes.c_long(X32 | number), 0, 0, 0, 0, 0) != -1)
    refused = refused and os.waitpid(child, 0)[1] != 1 << 8
print('x32 refused:', refused, flush=True)
if os.uname().machine == 'x86_64':
    # mov eax, 20 (getpid of i386); int 0x80; ret
    code = b'\xb8\x14\x00\x00\x00\xcd\x80\xc3'
    area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    answer = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if answer == os.getpid():
        print('int 0x80 works')
