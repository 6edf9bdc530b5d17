# tries: to occupy names of abstract sockets, those of future bells among them, and to leave the holders behind
# threats: 6 13
# ends: exited 0
# shows: bound
import os
import socket
import time

existing = [line.split()[-1] for line in open('/proc/net/unix') if 'berth' in line]
if os.fork() == 0:
    os.setsid()
    held = []
    for name in ['planted', *(f'berth-bell-{number}' for number in range(200)), *(name[1:] + 'x' for name in existing)]:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind('\0' + name)
        except OSError:
            continue
        held.append(holder)
    os.write(1, b'bound\n')
    time.sleep(600)
while not any('planted' in line for line in open('/proc/net/unix')):
    time.sleep(0.005)
time.sleep(0.05)
