"""An ordinary program of somebody else: it needs a little of everything that a hostile one may use up."""
import ctypes, fcntl, hashlib, os, socket, tempfile, threading, time

libc = ctypes.CDLL(None, use_errno=True)
print('up', flush=True)
digest = hashlib.sha256()
for step in range(8):
    with tempfile.TemporaryFile() as file:
        file.write(digest.digest() * 1000)
        file.seek(0)
        digest.update(file.read())
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 1 << 16)  # F_SETPIPE_SZ
    if os.fork() == 0:
        os.write(write, b'child %d' % step)
        os._exit(0)
    digest.update(os.read(read, 100))
    os.wait()
    os.close(read), os.close(write)
    watch = libc.inotify_init1(0o2000000)
    assert watch >= 0 and libc.inotify_add_watch(watch, b'/tmp', 0x100) >= 0, ('inotify', ctypes.get_errno())
    os.close(watch)
    thread = threading.Thread(target=digest.update, args=(b'thread',))
    thread.start(), thread.join()
    with socket.create_server(('127.0.0.1', 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b'loopback')
        digest.update(server.accept()[0].recv(100))
    bytearray(4 << 20)
    time.sleep(0.02)
print(digest.hexdigest())
