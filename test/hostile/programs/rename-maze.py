# tries: to move directories about, from a detached process, while the place is being cleaned
# threats: 9 12 13
# ends: exited 0
# shows: maze
import os

for number in range(50):
    os.makedirs(f'/tmp/maze/{number}/{number}/{number}')
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        os.close(1), os.close(2)
        while True:
            for number in range(50):
                try:
                    os.rename(f'/tmp/maze/{number}', f'/tmp/maze/{(number + 7) % 50}/{number}/moved')
                    os.makedirs(f'/tmp/maze/{number}/{number}/{number}', exist_ok=True)
                except OSError:
                    pass
print('maze')
