# tries: directories three thousand deep with long names, closed at the top, which no path can reach
# threats: 9 13
# ends: exited 0
# shows: made
import os

for _ in range(3_000):
    os.mkdir('d' * 200)
    os.chdir('d' * 200)
open('bottom', 'w')
os.chdir('/workspace')
os.chmod('d' * 200, 0)
print('made')
