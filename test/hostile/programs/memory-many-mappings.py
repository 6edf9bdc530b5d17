# tries: to make small mappings until the kernel has no more of them, then to touch each
# threats: 8
# limits: {"wallMs": 20000}
# ends: exited 0 or out_of_memory
# ends gvisor: exited 0 or out_of_memory or signalled SIGSEGV
# shows: mappings were refused: True
# shows gvisor: anything
import ctypes
import os
from kit import libc

# gVisor gives mappings that the host has no more of, and then ends the program that touches one.

libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
failed, made, areas = ctypes.c_void_p(-1).value, 0, []
while made < 200_000:
    # Alternating rights, so that the kernel cannot join neighbours.
    area = libc.mmap(None, 4096, 1 | (made % 2) * 2, 0x22, -1, 0)
    if area == failed:
        break
    areas.append(area)
    made += 1
os.write(1, f'mappings were refused: {made < 200_000}\n'.encode())
for area in areas:
    ctypes.string_at(area, 1)
os._exit(0)
