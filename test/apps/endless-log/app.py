import itertools
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"writing")

    def log_message(self, *_):
        pass


def write():
    with open(1, "w", buffering=1 << 16, closefd=False) as out:
        for number in itertools.count():
            out.write(f"line {number:09d} {'x' * 200}\n")


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
threading.Thread(target=write, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
