# tries: to raise its hard limits, and to set those of runner and launcher
# threats: 4 7
# ends: exited 0
# shows: tried \d{2,}, allowed nothing
import os
import resource
from kit import attempt, others, verdict

names = [name for name in dir(resource) if name.startswith('RLIMIT_')]
for name in names:
    which = getattr(resource, name)
    soft, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        attempt(f'raise {name}', resource.setrlimit, which, (hard + 1, hard + 1))
    for pid in others():
        attempt(f'{name} of {pid}', resource.prlimit, pid, which, (0, hard))
for pid in others():
    for name in names:
        attempt(f'lower {name} of {pid}', resource.prlimit, pid, getattr(resource, name), (0, 0))
verdict()
