# tries: to take terminals, which are counted for the whole host, and to type into one
# threats: 4 26
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows gvisor: tried \d+, allowed (nothing|openpty.*)
import fcntl
import os
import termios
from kit import attempt, verdict

attempt('openpty', os.openpty)
attempt('ptmx', os.open, '/dev/ptmx', os.O_RDWR)
attempt('pts/ptmx', os.open, '/dev/pts/ptmx', os.O_RDWR)
for fd in range(3):
    attempt(f'type into {fd}', fcntl.ioctl, fd, termios.TIOCSTI, b'x')
    attempt(f'paste into {fd}', fcntl.ioctl, fd, 0x541C, b'\x03')
    attempt(f'control {fd}', fcntl.ioctl, fd, termios.TIOCSCTTY, 0)
verdict()
