# tries: to write for ever to a client that reads nothing
# threats: 10 16
# client: reads nothing until it has ended
# limits: {"outputBytes": 60000000, "wallMs": 1000}
# ends: wall_timeout
import os

while True:
    os.write(1, b'unread' * 10_000)
