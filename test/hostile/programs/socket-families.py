# tries: to open every family and kind of socket: packet, raw, netlink, vsock, the kernel's own cryptography, and what is older
# threats: 5 14
# ends: exited 0
# shows: families: \[1, 2, 10\]
# shows: raw: \[\]
# shows gvisor: families: \[1, 2, 10(, 16)?\]
# shows gvisor: raw: \[\]
import socket

SEQPACKET, RAW = 5, 3


def opens(*which):
    try:
        socket.socket(*which).close()
        return True
    except OSError:
        return False


print('families:', [family for family in range(50) if any(opens(family, kind) for kind in (1, 2, RAW, 4, SEQPACKET, 6, 10)) and family != 16 or family == 16 and any(opens(16, RAW, protocol) for protocol in range(1, 30))])
print('raw:', [(family, protocol) for family in (2, 10) for protocol in range(256) if opens(family, RAW, protocol)])
