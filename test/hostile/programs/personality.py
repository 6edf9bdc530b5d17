# tries: to switch off the randomising of addresses, and to become another kind of system
# threats: 5
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows gvisor: tried \d+, allowed .*
from kit import attempt, syscall, verdict

for persona in (0x0040000, 0x0100000, 0x0008, 0x0400000, 0x8000000):
    attempt(hex(persona), syscall, 'personality', persona)
verdict()
