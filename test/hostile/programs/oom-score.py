# tries: to be the last that the memory limit kills, so that it hits runner or launcher instead
# threats: 6 8
# ends: out_of_memory
# shows: own score (EACCES|EPERM|4)
# shows: others: none
import os
from kit import others, outcome

def write(path, text):
    with open(path, 'w') as file:
        return file.write(text)

print('own score', outcome(write, '/proc/self/oom_score_adj', '-999'))
print('others:', [pid for pid in others() if isinstance(outcome(write, f'/proc/{pid}/oom_score_adj', '1000'), int)] or 'none', flush=True)
hoard = []
while True:
    hoard.append(bytearray(4 << 20))
