# tries: to outrun a killer: each process forks its successor and ends, so that no process id lives for long
# threats: 6 12
# ends: exited 0
# shows: started
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import os

for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        os.close(1), os.close(2)
        while True:
            try:
                if os.fork() != 0:
                    os._exit(0)
            except OSError:
                pass
print('started')
