# tries: to start threads until the kernel refuses, and to end without waiting for them
# threats: 7
# ends: exited 0
# shows: refused after more than fifty: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import os
import threading
import time

# gVisor's kernel pays for its threads out of the sandbox's memory, and may be killed for it.

made = 0
try:
    while made < 100_000:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        made += 1
except RuntimeError:
    print('refused after more than fifty:', 50 < made < 1_000, flush=True)
os._exit(0)
