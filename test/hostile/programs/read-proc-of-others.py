# tries: to read memory, environment, maps, descriptors, root and directory of every other process, and to write there
# threats: 6 25
# ends: exited 0
# shows: tried \d{2,}, allowed nothing
# shows gvisor: tried \d+, allowed (?!.*(write|(read|listdir|chdir|readlink) \d+/(mem|pagemap|task|root|cwd|exe|map_files))\b).*
import os
from kit import attempt, others, verdict

LOOKS = {
    'listdir': lambda path: os.listdir(path) or path,
    'readlink': os.readlink,
    'read': lambda path: open(path, 'rb').read(16),
    'write': lambda path: open(path, 'r+b'),
    'chdir': os.chdir,
}
for pid in others():
    for name in ('mem', 'maps', 'smaps', 'environ', 'fd', 'fdinfo', 'map_files', 'cwd', 'root', 'exe', 'io', 'stack', 'syscall', 'auxv', 'pagemap', 'task/%d/mem' % pid, 'ns/mnt', 'timers', 'personality', 'patch_state'):
        for look, action in LOOKS.items():
            attempt(f'{look} {pid}/{name}', action, f'/proc/{pid}/{name}')
    for name in ('oom_score_adj', 'comm', 'clear_refs', 'coredump_filter', 'autogroup', 'timerslack_ns', 'uid_map', 'setgroups', 'loginuid', 'attr/current', 'sched'):
        attempt(f'write {pid}/{name}', lambda path: os.write(os.open(path, os.O_WRONLY), b'0'), f'/proc/{pid}/{name}')
verdict()
