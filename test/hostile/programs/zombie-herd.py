# tries: to end with a hundred children that nobody has waited for, and children of children that are zombies
# threats: 7 12
# ends: exited 0
# shows: herd of more than fifty: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import os
import time

made = 0
try:
    for _ in range(40):
        if os.fork() == 0:
            try:
                for _ in range(2):
                    if os.fork() == 0:
                        os._exit(0)
            finally:
                time.sleep(600)
        made += 1
    for _ in range(1_000):
        if os.fork() == 0:
            os._exit(0)
        made += 1
except OSError:
    pass
print('herd of more than fifty:', made >= 40)
