# tries: to fill every memory file system, which together are more than the memory limit
# threats: 8 9
# ends: out_of_memory or exited 0
import os

for place in ('/tmp', '/workspace', '/dev/shm'):
    for number in range(1_000):
        try:
            with open(f'{place}/fill{number}', 'wb', buffering=0) as file:
                while file.write(b'x' * (1 << 20)):
                    pass
        except OSError:
            break
