# tries: to drown itself and its children in signals that are handled, for a while
# threats: 6 12
# limits: {"wallMs": 1500}
# ends: exited 0 or wall_timeout
import os
import signal

handled = 0


def count(*_):
    global handled
    handled += 1


for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGRTMIN, signal.SIGCHLD):
    signal.signal(number, count)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
me = os.getpid()
for _ in range(4):
    if os.fork() == 0:
        while True:
            os.kill(me, signal.SIGUSR1)
            os.kill(me, signal.SIGRTMIN)
for _ in range(20_000):
    os.kill(me, signal.SIGUSR1)
