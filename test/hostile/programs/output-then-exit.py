# tries: to lose output: a megabyte in one go, then an end without any farewell
# threats: 10
# ends: exited 3
# repeats: "0123456789" up to 1000000 bytes
import os

data = b'0123456789' * 100_000
while data:
    data = data[os.write(1, data) :]
os._exit(3)
