# tries: to take all memory on the heap
# threats: 8
# ends: out_of_memory
# shows: before
print('before', flush=True)
hoard = []
while True:
    hoard.append(bytearray(4 << 20))
