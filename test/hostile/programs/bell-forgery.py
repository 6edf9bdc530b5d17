# tries: to ring the runner's bell falsely: nonsense, in the name of a child, with descriptors, and in a flood
# threats: 6
# ends: exited 0
# shows: still here
import array
import os
import socket

names = [line.split()[-1] for line in open('/proc/net/unix') if 'berth-bell' in line]
bell = '\0' + names[0][1:] if names else '\0no-bell'
ringer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ringer.setblocking(False)
secret = os.memfd_create('secret')


def ring(text, *rights):
    try:
        ringer.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', rights))] if rights else [], 0, bell)
    except OSError:
        pass


for text in (b'', b'x', b'-1 0 0', b'300 0 0', b'1 2 3 4', b'9' * 60, b'0 0', b'\xff' * 1_000, b'0 -1 -1', b'0 1 99999999999999999999'):
    ring(text)
    ring(text, secret, secret)
if os.fork() == 0:
    ring(b'0 0 0')
    for _ in range(2_000):
        ring(b'7 1 1', secret)
    os._exit(0)
os.wait()
print('still here', flush=True)
# Its own end it may announce, but not with more time than there was, nor with so much that the sum of it overflows.
ring(b'0 9223372036854775 9223372036854775')
os._exit(0)
