# tries: kill -9 -1, as a parent and as a child
# threats: 6
# ends: exited 0 or signalled SIGKILL
# shows: before
# shows: child ended by 9
import os
import time

print('before', flush=True)
child = os.fork()
if child == 0:
    time.sleep(600)
try:
    os.kill(-1, 9)
except PermissionError:
    pass
print('child ended by', os.waitpid(child, 0)[1], flush=True)
os.kill(os.getpid(), 0)
