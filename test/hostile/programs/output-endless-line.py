# tries: to flood with one line that never ends
# threats: 10 11
# limits: {"outputBytes": 12000000, "wallMs": 60000}
# ends: output_limit
# repeats: "endless" up to 12000000 bytes
import os

block = b'endless' * 10_000
while True:
    written = 0
    while written < len(block):
        written += os.write(1, block[written:])
