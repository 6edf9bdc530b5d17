# tries: to open files until it may not, in many processes, to run the host out of them
# threats: 26
# ends: exited 0
# shows: refused: True
# ends gvisor: exited 0 or out_of_memory
# shows gvisor: anything
import os
import time

read, write = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        count = 0
        try:
            while count < 1_000_000:
                os.open('/dev/null', os.O_RDONLY)
                count += 1
        except OSError:
            pass
        os.write(write, b'%d ' % count)
        time.sleep(600)
text = b''
while text.count(b' ') < 20:
    text += os.read(read, 1_000)
print('refused:', all(int(count) < 2_000 for count in text.split()))
