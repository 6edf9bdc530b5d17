# tries: to spin on every core with several processes
# threats: 7
# limits: {"cpuMs": 400, "wallMs": 20000}
# ends: cpu_timeout
import os

for _ in range(3):
    if os.fork() == 0:
        break
while True:
    pass
