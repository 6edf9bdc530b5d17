# tries: to take the launcher along with a crash in C: a null pointer, a double free, a jump into nothing
# threats: 6
# ends: signalled SIGSEGV
# shows: children ended by (6|11) (4|5|11)
import ctypes
import os

ends = []
for attack in (lambda: [ctypes.CDLL(None).free(ctypes.c_void_p(0x1008)) for _ in range(2)], lambda: ctypes.CFUNCTYPE(None)(8)()):
    child = os.fork()
    if child == 0:
        os.close(2)
        attack()
        os._exit(0)
    ends.append(os.waitpid(child, 0)[1] & 0x7F)
print('children ended by', *ends, flush=True)
ctypes.string_at(0)
