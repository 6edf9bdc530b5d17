# tries: to leave its mark in all that an interpreter keeps, and in memory that goes back to the kernel
# threats: 25
# ends: exited 0
# shows: marked
import functools
import linecache
import mmap
import os
import re
import sys
import threading
import types
from kit import MARK

sys.intern(MARK + '_interned')
sys.modules[MARK + '_module'] = types.ModuleType(MARK + '_module')
re.compile(MARK + '.*')
os.environ[MARK.replace('-', '_')] = MARK


@functools.lru_cache
def cached(text):
    return text * 3


cached(MARK)
for place in ('/tmp', '/workspace', '/dev/shm'):
    with open(f'{place}/{MARK}', 'w') as file:
        file.write(MARK * 100_000)
linecache.getlines(f'/tmp/{MARK}')
threading.current_thread().name = MARK
area = mmap.mmap(-1, 16 << 20)
area.write((MARK + ' ').encode() * ((16 << 20) // (len(MARK) + 1)))
keep = [MARK + str(number) for number in range(10_000)]
read, write = os.pipe()
os.write(write, MARK.encode() * 100)
threading.Thread(target=lambda: MARK * 10).start()
print('marked')
try:
    raise RuntimeError(MARK)
except RuntimeError as error:
    sys.last_value = error
