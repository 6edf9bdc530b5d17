# tries: to make, find and open devices: disks, memory, terminals, ports, and what Docker leaves in /dev
# threats: 4
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows: devices: (core|fd|full|mqueue|null|ptmx|pts|random|shm|stderr|stdin|stdout|tty|urandom|zero| )*
# shows gvisor: tried \d+, allowed (?!.*open \S*(mem|kmsg|port|sda|vda|nvme0n1|loop|control|kvm|vsock|vhost-net|userfaultfd|uinput|event0|seq|console|tty0) ).*
# shows gvisor: devices: .*
import os
import stat
from kit import attempt, verdict

# gVisor lets everybody make nodes of any number, knows no nodev, and shows a fuse and a tun in /dev: these two are the guest
# kernel's own and lead to nothing of the host. A node for anything else opens nothing.

for name, kind, major, minor in (('mem', stat.S_IFCHR, 1, 1), ('kmsg', stat.S_IFCHR, 1, 11), ('port', stat.S_IFCHR, 1, 4), ('sda', stat.S_IFBLK, 8, 0), ('vda', stat.S_IFBLK, 254, 0), ('loop', stat.S_IFBLK, 7, 0), ('fuse', stat.S_IFCHR, 10, 229), ('tun', stat.S_IFCHR, 10, 200), ('kvm', stat.S_IFCHR, 10, 232)):
    for place in ('/tmp', '/workspace', '/dev/shm', '/dev'):
        path = f'{place}/{name}'
        if not attempt(f'mknod {path}', os.mknod, path, kind | 0o666, os.makedev(major, minor)):
            attempt(f'open {path}', os.open, path, os.O_RDWR | os.O_NONBLOCK)
for name in ('mem', 'kmem', 'kmsg', 'port', 'sda', 'vda', 'nvme0n1', 'fuse', 'net/tun', 'kvm', 'vsock', 'vhost-net', 'loop-control', 'mapper/control', 'userfaultfd', 'uinput', 'input/event0', 'snd/seq', 'console', 'ptmx', 'tty', 'tty0', 'pts/0', 'pts/ptmx'):
    attempt(f'open {name}', os.open, '/dev/' + name, os.O_RDWR | os.O_NONBLOCK)
attempt('plant in /dev', open, '/dev/planted', 'w')
verdict()
print('devices:', *sorted(os.listdir('/dev')))
