# tries: never to end: threads, atexit functions, finalizers and signal handlers that wait for ever
# threats: 12
# limits: {"wallMs": 700}
# ends: wall_timeout
# shows: over
import atexit
import threading
import time


class Stubborn:
    def __del__(self):
        time.sleep(600)


kept = Stubborn()
atexit.register(time.sleep, 600)
threading.Thread(target=time.sleep, args=(600,)).start()
print('over', flush=True)
raise SystemExit(0)
