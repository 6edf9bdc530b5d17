# tries: to find a directory beside the writable places that it may leave something in, on every file system it sees
# threats: 13
# ends: exited 0
# shows: outside the writable places: \[\]
import os
from kit import MARK

KNOWN = ('/tmp', '/workspace', '/dev/shm', '/dev/mqueue')


def unescaped(path):
    return path.encode().decode('unicode_escape')


with open('/proc/self/mountinfo') as lines:
    roots = {unescaped(line.split()[4]) for line in lines}
found = set()
for root in roots - set(KNOWN):
    for path, directories, _ in os.walk(root):
        # Other mounts have their turn; processes come and go.
        directories[:] = [name for name in directories if os.path.join(path, name) not in roots and not (path == '/proc' and name.isdigit())]
        if path in KNOWN or not os.access(path, os.W_OK | os.X_OK):
            continue
        try:
            os.mkdir(os.path.join(path, MARK))
            found.add(path)
        except OSError:
            pass
print('outside the writable places:', sorted(found))
