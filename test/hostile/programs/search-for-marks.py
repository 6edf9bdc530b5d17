# tries: to find what others left: marks in its own memory, in fresh memory, in free blocks of files, in pipes, frames and objects
# threats: 25
# ends: exited 0
# shows: marks of others: 0
import gc
import mmap
import os
import re
import sys
from kit import MARK

pattern, found = re.compile(b'mark-[0-9a-f]{16}'), set()


def search(data):
    found.update(match for match in pattern.findall(data) if match != MARK.encode())


for line in open('/proc/self/maps'):
    span, rights = line.split()[:2]
    if 'r' not in rights or '[v' in line:
        continue
    start, end = (int(bound, 16) for bound in span.split('-'))
    try:
        with open('/proc/self/mem', 'rb', 0) as memory:
            memory.seek(start)
            search(memory.read(end - start))
    except (OSError, OverflowError, ValueError):
        pass
search(mmap.mmap(-1, 8 << 20).read())
for place in ('/tmp', '/workspace', '/dev/shm'):
    with open(place + '/blocks', 'w+b') as file:
        try:
            os.posix_fallocate(file.fileno(), 0, 2 << 20)
        except OSError:
            os.truncate(file.fileno(), 2 << 20)
        search(file.read())
for table in ('cmdline', 'environ', 'comm', 'status', 'cgroup', 'mountinfo'):
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            search(open(f'/proc/{pid}/{table}', 'rb').read())
        except OSError:
            pass
frame = sys._getframe()
while frame:
    search(repr(list(frame.f_locals.items())).encode())
    search(repr(list(frame.f_globals)).encode())
    frame = frame.f_back
for item in gc.get_objects():
    if isinstance(item, (dict, list, tuple, set)) and len(item) < 10_000:
        search(repr(item)[:100_000].encode('utf-8', 'replace')) if not isinstance(item, dict) or '__builtins__' not in item else None
print('marks of others:', len(found))
