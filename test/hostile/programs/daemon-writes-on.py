# tries: to write into its output for ever after it has ended, from a process that has detached
# threats: 10 12
# limits: {"outputBytes": 50000000}
# ends: exited 0
import os

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            try:
                os.write(1, b'still here\n' * 100)
            except OSError:
                os._exit(0)
    os._exit(0)
os.wait()
