# tries: to reach the host's loopback and gateway, the metadata address, neighbours, the outside, and Berth's own port
# threats: 14
# ends: exited 0
# shows: reached: \[\]
# shows: interfaces: \['lo'\]
# shows: routes: 0
import os
import socket
import struct

own_port = int(os.environ['DAEMON'].rsplit(':', 1)[1])
docker = [f'172.17.0.{n}' for n in (1, 2, 3)] + ['172.18.0.1', '10.0.2.2', '192.168.65.2', '192.168.0.1', '10.88.0.1']
metadata = ['169.254.169.254', '169.254.170.2', '100.100.100.200', 'fd00:ec2::254']
ports = (22, 53, 80, 443, 2375, 2376, 3306, 8088, 50051, own_port)
reached = []
for address in ['127.0.0.1', '127.0.0.53', '::1', '0.0.0.0', '1.1.1.1', '8.8.8.8', '2606:4700:4700::1111', *docker, *metadata]:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    for port in ports:
        with socket.socket(family, socket.SOCK_STREAM) as stream:
            stream.settimeout(0.2)
            try:
                stream.connect((address, port))
                reached.append((address, port))
            except OSError:
                pass
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        try:
            datagram.sendto(b'x', (address, 53))
            if not address.startswith(('127.', '::1', '0.')):
                reached.append((address, 'udp'))
        except OSError:
            pass
for name in ('metadata.google.internal', 'host.docker.internal', 'example.com', 'localhost.'):
    try:
        found = {info[4][0] for info in socket.getaddrinfo(name, 80)} - {'127.0.0.1', '::1'}
        if found:
            reached.append((name, found))
    except OSError:
        pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
    datagram.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for address in ('255.255.255.255', '224.0.0.251'):
        try:
            datagram.sendto(b'x', (address, 5353))
            reached.append((address, 'broadcast'))
        except OSError:
            pass
print('reached:', reached)
print('interfaces:', [name for _, name in socket.if_nameindex()])
print('routes:', sum(line.split()[0] != 'lo' for line in open('/proc/net/route').read().splitlines()[1:]))
