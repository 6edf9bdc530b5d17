"""What hostile programs share: system calls by name, and attempts that say what came of them."""

import ctypes
import errno
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)

#: A text that is this execution's own; whoever comes next must not find it anywhere.
MARK = sys.argv[1]

NUMBERS = {  # (x86_64, aarch64)
    'acct': (163, 89), 'add_key': (248, 217), 'adjtimex': (159, 171), 'bpf': (321, 280), 'chroot': (161, 51),
    'clock_adjtime': (305, 266), 'clock_settime': (227, 112), 'clone': (56, 220), 'clone3': (435, 435),
    'delete_module': (176, 106), 'fanotify_init': (300, 262), 'finit_module': (313, 273), 'fsconfig': (431, 431),
    'fsmount': (432, 432), 'fsopen': (430, 430), 'fspick': (433, 433), 'get_mempolicy': (239, 236), 'init_module': (175, 105),
    'io_setup': (206, 0), 'io_uring_enter': (426, 426), 'io_uring_register': (427, 427), 'io_uring_setup': (425, 425),
    'ioprio_set': (251, 30), 'kcmp': (312, 272), 'kexec_file_load': (320, 294), 'kexec_load': (246, 104),
    'keyctl': (250, 219), 'landlock_create_ruleset': (444, 444), 'lookup_dcookie': (212, 18), 'mbind': (237, 235),
    'memfd_create': (319, 279), 'memfd_secret': (447, 447), 'migrate_pages': (256, 238), 'mount': (165, 40), 'mount_setattr': (442, 442),
    'move_mount': (429, 429), 'move_pages': (279, 239), 'name_to_handle_at': (303, 264), 'open_by_handle_at': (304, 265),
    'open_tree': (428, 428), 'perf_event_open': (298, 241), 'personality': (135, 92), 'pidfd_getfd': (438, 438),
    'pidfd_open': (434, 434), 'pidfd_send_signal': (424, 424), 'pivot_root': (155, 41), 'process_madvise': (440, 440),
    'process_vm_readv': (310, 270), 'process_vm_writev': (311, 271), 'ptrace': (101, 117), 'quotactl': (179, 60),
    'quotactl_fd': (443, 443), 'reboot': (169, 142), 'request_key': (249, 218), 'sched_setattr': (314, 274),
    'seccomp': (317, 277), 'set_mempolicy': (238, 237), 'setdomainname': (171, 162), 'sethostname': (170, 161),
    'setns': (308, 268), 'settimeofday': (164, 170), 'signalfd4': (289, 74), 'swapoff': (168, 225), 'swapon': (167, 224),
    'syslog': (103, 116), 'tkill': (200, 130), 'umount2': (166, 39), 'unshare': (272, 97), 'userfaultfd': (323, 282), 'vhangup': (153, 58),
    'vmsplice': (278, 75),
}  # fmt: skip
ONLY_X86 = {'iopl': 172, 'ioperm': 173, 'modify_ldt': 154, '_sysctl': 156, 'uselib': 134, 'ustat': 136}

_x86 = os.uname().machine == 'x86_64'
_tried = 0
_allowed = []


def number(name):
    """None where this machine has no such call."""
    if name in NUMBERS:
        return NUMBERS[name][0 if _x86 else 1]
    return ONLY_X86[name] if _x86 else None


def syscall(name, *arguments):
    """Calls the kernel. @raises OSError"""
    result = libc.syscall(ctypes.c_long(number(name)), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, errno.errorcode.get(code, str(code)), name)
    return result


def attempt(name, action, *arguments):
    """Does something that must be refused, and remembers it when it is not. Answers whether it was refused."""
    global _tried
    _tried += 1
    try:
        result = action(*arguments)
    except (OSError, ValueError) as refusal:
        return True
    _allowed.append(f'{name} = {result!r}')
    return False


def attempt_calls(*names, arguments=(0, 0, 0, 0, 0, 0), refusals=('EPERM', 'ENOSYS')):
    """Calls each with arguments that prove nothing but the door: refused means by the profile, not by bad arguments."""
    global _tried
    for name in names:
        if number(name) is None:
            continue
        _tried += 1
        try:
            _allowed.append(f'{name} = {syscall(name, *arguments)}')
        except OSError as refusal:
            if errno.errorcode.get(refusal.errno) not in refusals:
                _allowed.append(f'{name} {errno.errorcode.get(refusal.errno)}')


def verdict():
    print(f'tried {_tried}, allowed {", ".join(_allowed) or "nothing"}')


def outcome(action, *arguments):
    """The name of the error that an action meets, or what it answers."""
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)


def others():
    """Process ids of everything but this process and its children."""
    own = {os.getpid()}
    found = []
    for pid in sorted(int(name) for name in os.listdir('/proc') if name.isdigit()):
        try:
            with open(f'/proc/{pid}/stat') as stat:
                parent = int(stat.read().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
        if parent in own:
            own.add(pid)
        if pid not in own:
            found.append(pid)
    return found
