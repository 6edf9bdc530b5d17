# tries: to flood with writes of one byte each
# threats: 10 11
# limits: {"outputBytes": 200000, "wallMs": 60000}
# ends: output_limit
# repeats: "x" up to 200000 bytes
import os

while True:
    os.write(1, b'x')
