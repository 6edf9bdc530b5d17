# tries: to gain from programs with setuid, setgid or capabilities, those of the image and ones of its own making
# threats: 4
# ends: exited 0
# shows: never another: True
# shows: capability refused: True
# shows: tried \d+, allowed nothing
import os
import shutil
import stat
import subprocess
from kit import attempt, outcome, verdict

me = os.getuid()
shutil.copy('/bin/sh', '/tmp/sh')
os.chmod('/tmp/sh', 0o6755)
found = []
for top, directories, files in os.walk('/'):
    if top in ('/proc', '/sys'):
        directories.clear()
        continue
    for name in files:
        path = os.path.join(top, name)
        try:
            if os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID) and os.access(path, os.X_OK):
                found.append(path)
        except OSError:
            pass
others = set()
for path in [*found, '/tmp/sh']:
    try:
        program = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        continue
    try:
        status = open(f'/proc/{program.pid}/status').read()
        others.update(int(word) for line in status.splitlines() if line.startswith(('Uid', 'Gid')) for word in line.split()[1:])
    except OSError:
        pass
    program.kill()
    program.wait()
print('never another:', others <= {me})
# cap_setuid+ep, version 2
print('capability refused:', isinstance(outcome(os.setxattr, '/tmp/sh', 'security.capability', b'\x01\x00\x00\x02\x80\x00\x00\x00' + bytes(12)), str))
attempt('setuid', os.setuid, 0)
attempt('setgid', os.setgid, 0)
attempt('setgroups', os.setgroups, [0])
attempt('setresuid', os.setresuid, 0, 0, 0)
attempt('another', os.setuid, me + 1)
attempt('chown', os.chown, '/tmp/sh', 0, 0)
attempt('chown to another', os.chown, '/tmp/sh', me + 1, me + 1)
verdict()
