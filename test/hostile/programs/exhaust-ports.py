# tries: to bind every port of loopback, those that Berth and Docker use among them
# threats: 14 26
# ends: exited 0
# shows: bound some: True
import os
import socket

held = []
for port in [50051, 8088, 2375, 3306, *range(18_000, 20_000)]:
    try:
        server = socket.socket()
        server.bind(('0.0.0.0', port))
        server.listen(1)
        held.append(server)
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    import time
    time.sleep(600)
print('bound some:', len(held) > 100)
