# tries: to detach: double fork, new session, no signals, holding the program's output open
# threats: 12
# ends: exited 0
# shows: main is done
import os
import signal
import time

for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir('/')
        time.sleep(600)
    os._exit(0)
os.wait()
print('main is done')
