# tries: to go on when the client has gone away, with children and blocked in a write
# threats: 12 16
# client: leaves at the first output
# limits: {"outputBytes": 60000000}
# ends: cancelled
import os
import signal

for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print('first', flush=True)
for _ in range(10):
    if os.fork() == 0:
        os.setsid()
        break
while True:
    try:
        os.write(1, b'more' * 10_000)
    except OSError:
        pass
