# tries: to leave a dump of its memory, by raising the limit and by a crash
# threats: 9 13 25
# ends: signalled SIGSEGV
# shows: limit refused: True
import ctypes
import os
import resource

try:
    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
    print('limit refused: False')
except (OSError, ValueError):
    print('limit refused:', True, flush=True)
os.chdir('/tmp')
if os.fork() == 0:
    os.abort()
os.wait()
ctypes.string_at(0)
