# tries: to outlive its time by ignoring and blocking every signal that it may
# threats: 12
# limits: {"wallMs": 600}
# ends: wall_timeout
# shows: here
import signal
import time

for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
print('here', flush=True)
while True:
    time.sleep(600)
