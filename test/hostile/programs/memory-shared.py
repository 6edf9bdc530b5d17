# tries: to take all memory as shared mappings and anonymous files, which no process seems to own
# threats: 8
# ends: out_of_memory
# shows: before
import mmap
import os

print('before', flush=True)
hoard = []
while True:
    area = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    area.write(b'x' * (4 << 20))
    hoard.append(area)
    file = os.memfd_create('hoard')
    os.write(file, b'x' * (4 << 20))
