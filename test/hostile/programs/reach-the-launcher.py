# tries: to find the launcher's own code in its process and make it lie: about the end, the bell, and what comes next
# threats: 6 25
# ends: exited 0 or exited 7
# shows: tampered
import gc
import os
import sys
import types

print('tampered', flush=True)
for item in gc.get_objects():
    if isinstance(item, types.FunctionType) and 'launchers' in item.__code__.co_filename:
        item.__code__ = (lambda *a, **k: 0).__code__ if item.__code__.co_freevars == () else item.__code__
frame = sys._getframe()
while frame.f_back:
    frame = frame.f_back
for name, value in list(frame.f_globals.items()):
    if isinstance(value, (bytes, list, dict)) and not name.startswith('__'):
        try:
            value.clear()
        except (AttributeError, BufferError):
            pass
for fd in range(3, 64):
    try:
        os.write(fd, b'{"path":"spare"}\n{"pid":1}\n{"error":"forged"}\n')
    except OSError:
        pass
os._exit(7)
