# tries: to use up the epoll watches that the host grants a user, with loops of epolls in epolls
# threats: 26
# ends: exited 0
# shows: a loop: ELOOP|EINVAL
# shows: added some: True
import errno
import os
import select

pollers = [select.epoll() for _ in range(300)]
pipes = [os.pipe() for _ in range(300)]
added = 0
for poller in pollers:
    for read, write in pipes:
        try:
            poller.register(read)
            poller.register(write)
            added += 2
        except OSError:
            break
try:
    pollers[0].register(pollers[1])
    pollers[1].register(pollers[0])
    print('a loop: none')
except OSError as refusal:
    print('a loop:', errno.errorcode[refusal.errno])
print('added some:', added > 1_000)
