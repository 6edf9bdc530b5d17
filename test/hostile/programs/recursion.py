# tries: to run out of stack: without a limit, inside of repr, and in C
# threats: 8 10
# ends: signalled SIGSEGV or exited 1 or out_of_memory
# shows: repr: RecursionError
# shows: child ended by (11|9|0)
# ends gvisor: signalled SIGSEGV or exited 1 or out_of_memory or wall_timeout
# shows gvisor: anything
import os
import sys


class Endless:
    def __repr__(self):
        return repr(self)


try:
    repr(Endless())
except RecursionError:
    print('repr: RecursionError', flush=True)
sys.setrecursionlimit(2**31 - 1)


def deeper(level):
    return deeper(level + 1) + 1


child = os.fork()
if child == 0:
    nested = ()
    for _ in range(1_000_000):
        nested = (nested,)
    del nested
    hash_me = []
    for _ in range(1_000_000):
        hash_me = [hash_me]
    repr(hash_me)
print('child ended by', os.waitpid(child, 0)[1] & 0x7F, flush=True)
deeper(0)
