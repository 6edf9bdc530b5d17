# tries: every call about mounts and namespaces
# threats: 4
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows gvisor: anything
# ends gvisor: exited 0 or out_of_memory
from kit import attempt, attempt_calls, syscall, verdict

attempt_calls('mount', 'umount2', 'pivot_root', 'setns', 'unshare', 'fsopen', 'fsmount', 'fsconfig', 'fspick', 'move_mount', 'open_tree', 'mount_setattr', 'vhangup')
attempt('chroot', syscall, 'chroot', b'/tmp')
NAMESPACES = {'mount': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000, 'ipc': 0x8000000, 'user': 0x10000000, 'pid': 0x20000000, 'net': 0x40000000}
for name, flag in NAMESPACES.items():
    attempt(f'unshare {name}', syscall, 'unshare', flag)
    attempt(f'clone {name}', syscall, 'clone', flag | 17, 0, 0, 0, 0)
attempt('clone3', syscall, 'clone3', 0, 0)
attempt('setns own', lambda: syscall('setns', open('/proc/self/ns/mnt').fileno(), 0))
verdict()
