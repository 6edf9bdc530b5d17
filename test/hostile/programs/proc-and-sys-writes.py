# tries: to write to every file of /proc/sys, /sys and the control groups, to sysrq, and to core_pattern
# threats: 4 5
# limits: {"wallMs": 60000}
# ends: exited 0
# shows: written: \[\]
# shows gvisor: written: .*
import os

NULL = os.makedev(1, 3)  # what masks a path
written = []
for start in ('/proc/sys', '/sys', '/proc/irq', '/proc/bus', '/proc/fs'):
    for top, directories, files in os.walk(start):
        for name in files:
            path = os.path.join(top, name)
            try:
                fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                if os.fstat(fd).st_rdev != NULL:
                    written.append(path)
                os.close(fd)
            except OSError:
                pass
        for attempt in (lambda: os.mkdir(os.path.join(top, 'planted')),) if 'cgroup' in top else ():
            try:
                attempt()
                written.append(top)
            except OSError:
                pass
for path in ('/proc/sysrq-trigger', '/proc/timer_list', '/proc/mtrr', '/proc/acpi/wakeup', '/sys/fs/cgroup/release_agent', '/sys/kernel/uevent_helper', '/sys/power/state'):
    try:
        fd = os.open(path, os.O_WRONLY)
        if os.fstat(fd).st_rdev != NULL:
            written.append(path)
    except OSError:
        pass
print('written:', written)
