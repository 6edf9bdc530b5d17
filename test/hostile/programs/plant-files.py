# tries: to leave files of every kind, with names that break tools, in every writable place
# threats: 13
# ends: exited 0
# shows: planted
import os
import socket
from kit import MARK

for place in (b'/tmp', b'/workspace', b'/dev/shm'):
    def at(name):
        return place + b'/' + name

    names = [b'-rf', b'--', b'...', b'..x', b'.hidden', b' ', b'\n', b'a\nb', b'\xff\xfe', b'\x01\x02', b'*', b'$(reboot)', b'`id`', b'\\', b'"', b"'", b'\x1b[2J',
             b'x' * 255, '\u202e'.encode() + b'gpj', b'%s%n', b'CON', b'~']
    for name in names:
        with open(at(name), 'wb') as file:
            file.write(MARK.encode() * 100)
    os.makedirs(at(b'deep/er/and/deeper'))
    with open(at(b'deep/er/file'), 'wb') as file:
        file.write(b'x' * 5_000)
    for number in range(20):
        os.link(at(b'deep/er/file'), at(b'hard%d' % number))
    for name, mode in ((b'closed', 0), (b'read', 0o400), (b'enter', 0o100), (b'sticky', 0o1777), (b'group', 0o2070)):
        os.mkdir(at(name))
        open(at(name) + b'/inside', 'wb').close()
        os.chmod(at(name) + b'/inside', 0)
        os.chmod(at(name), mode)
    os.symlink('/etc/passwd', at(b'link'))
    os.symlink('/nowhere', at(b'dangling'))
    os.symlink(at(b'loop'), at(b'loop'))
    os.symlink('/proc/self/fd', at(b'magic'))
    os.symlink('..', at(b'up'))
    os.mkfifo(at(b'fifo'))
    socket.socket(socket.AF_UNIX).bind(at(b'socket'))
    os.utime(at(b'-rf'), (2**33, 2**33))
    os.utime(at(b'--'), (0, -(2**31)))
print('planted')
