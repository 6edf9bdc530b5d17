# tries: to run itself anew many times, so that it is never the program that was started
# threats: 6 12
# ends: exited 0
# shows: done after 30
import os
import sys

turn = int(sys.argv[2]) if len(sys.argv) > 2 else 0
if turn < 30:
    os.execv(sys.executable, ['python3', '-SE', sys.argv[0], sys.argv[1], str(turn + 1)])
print('done after', turn)
