# tries: to execute with arguments and variables of many megabytes
# threats: 8
# ends: exited 0
# shows: arguments E2BIG
# shows: variables E2BIG
# shows: allowed 0
# shows gvisor: arguments ENAMETOOLONG
# shows gvisor: variables ENAMETOOLONG
# shows gvisor: allowed 0
import os
import subprocess
import sys
from kit import outcome

big = 'x' * (1 << 20)
print('arguments', outcome(os.execv, sys.executable, ['python3', *[big] * 64]))
print('variables', outcome(os.execve, sys.executable, ['python3'], {f'V{i}': big for i in range(64)}))
small = 'x' * 100_000
print('allowed', subprocess.run([sys.executable, '-SEc', 'pass', *[small] * 15]).returncode)
