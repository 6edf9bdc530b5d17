# tries: to take memory in the kernel: full sockets, full pipes, and descriptors under way in messages
# threats: 8 26
# ends: exited 0 or out_of_memory
# shows: (sockets|descriptors).*
# shows gvisor: anything
import array
import os
import socket

keep, sent = [], 0
try:
    while True:
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        keep.append(pair)
        for end in pair:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2]))]
            try:
                while True:
                    sent += end.sendmsg([b'x' * 60_000], rights)
            except (BlockingIOError, OSError):
                pass
except OSError as refusal:
    os.write(1, f'sockets refused: {refusal.strerror}\n'.encode())
os._exit(0)
