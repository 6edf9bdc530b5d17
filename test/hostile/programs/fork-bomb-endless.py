# tries: to fork for ever, in every child as well
# threats: 7 12
# limits: {"wallMs": 700}
# ends: wall_timeout
# ends gvisor: wall_timeout or out_of_memory
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
