# tries: to make ten million files
# threats: 9
# ends: exited 0
# shows: ENOSPC before twenty thousand: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import errno
import os

made = 0
os.mkdir('/tmp/many')
os.chdir('/tmp/many')
try:
    while made < 10_000_000:
        os.mknod(str(made))
        made += 1
except OSError as refusal:
    print(errno.errorcode[refusal.errno], 'before twenty thousand:', made < 20_000)
