"""Process 1 of a container without Berth: runs programs by a plain interpreter, one after the other.

Each line of stdin is a JSON object {"argv", "env", "cwd", "files": [{"path", "content", "mode"}], "stdin", "uid",
"directory"}; for each it writes the files below the directory, starts argv under the uid, as the leader of a session
and with the pipes as its own, and answers one line {"status", "signal", "stdout", "stderr", "error"}. Bytes are base64.
A program has ended when its main process has: what is left of the uid is then killed, and the writable places emptied.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

WRITABLE = ('/workspace', '/tmp', '/dev/shm')


@contextlib.contextmanager
def identity(uid):
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def prepare(request):
    for file in request['files']:
        path = os.path.join(request['directory'], file['path'])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as opened:
            opened.write(base64.b64decode(file['content']))
        os.chmod(path, file['mode'])
    return [os.pipe() for _ in range(3)]


def feed(fd, content):
    with contextlib.suppress(BrokenPipeError), open(fd, 'wb') as pipe:
        pipe.write(content)


def drain(fd, into):
    with open(fd, 'rb') as pipe:
        into.append(pipe.read())


def run(request):
    uid = request['uid']
    with identity(uid):
        stdin, stdout, stderr = prepare(request)
    child = subprocess.Popen(
        request['argv'], cwd=request['cwd'], env={**os.environ, **request['env']}, user=uid, group=uid,
        extra_groups=[], umask=0o022, start_new_session=True, stdin=stdin[0], stdout=stdout[1], stderr=stderr[1],
    )  # fmt: skip
    for fd in (stdin[0], stdout[1], stderr[1]):
        os.close(fd)
    said = ([], [])
    workers = [
        threading.Thread(target=feed, args=(stdin[1], base64.b64decode(request['stdin'])), daemon=True),
        threading.Thread(target=drain, args=(stdout[0], said[0])),
        threading.Thread(target=drain, args=(stderr[0], said[1])),
    ]
    for worker in workers:
        worker.start()
    status = child.wait()
    kill_all(uid)
    for worker in workers[1:]:
        worker.join()
    with identity(uid):
        empty(WRITABLE)
    ending = {'signal': signal.Signals(-status).name} if status < 0 else {'status': status}
    return ending | {
        'stdout': base64.b64encode(said[0][0]).decode(),
        'stderr': base64.b64encode(said[1][0]).decode(),
    }


def kill_all(uid):
    """Every process of the uid; nobody else runs under it."""
    killer = os.fork()
    if not killer:
        os.setresuid(uid, uid, uid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def empty(places):
    for place in places:
        for entry in os.scandir(place):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry)
            else:
                os.unlink(entry)


for line in sys.stdin:
    try:
        answer = run(json.loads(line))
    except Exception as error:
        answer = {'error': repr(error)}
    print(json.dumps(answer), flush=True)
