# tries: to take memory as System V segments, which outlive their process, and to leave them
# threats: 8 13
# ends: exited 0 or out_of_memory or signalled SIGBUS
import ctypes
from kit import libc

libc.shmat.restype = ctypes.c_void_p
for number in range(64):
    segment = libc.shmget(4711 + number, 8 << 20, 0o1600)
    if segment < 0:
        break
    address = libc.shmat(segment, None, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        break
    ctypes.memset(address, 120, 8 << 20)
