# tries: to make files without content in /dev/shm, whose size they do not count towards
# threats: 8 9
# limits: {"wallMs": 30000}
# ends: exited 0 or out_of_memory
import os

os.chdir('/dev/shm')
made = 0
try:
    while made < 10_000_000:
        os.mknod(str(made))
        made += 1
except OSError as refusal:
    print(refusal, made)
