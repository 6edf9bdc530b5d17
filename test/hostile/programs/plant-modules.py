# tries: to have its code run by the next interpreter: site, user and path hooks, caches, and modules of common names
# threats: 13
# ends: exited 0
# shows: outside the writable places: \[\]
import os
import site
import sys
import sysconfig

EVIL = 'import os; os.write(1, b"planted code ran\\n"); os.environ["PLANTED"] = "1"\n'
home = os.path.expanduser('~')
places = ['/tmp', '/workspace', '/dev/shm', home, '/root', site.getusersitepackages(), *sys.path, *sysconfig.get_paths().values(), '/etc/python3', '/etc/python3.11', '/usr/lib/python3', '/berth', '/berth/launchers', '/etc', '/usr/local/bin']
planted = []
for place in filter(None, places):
    for name in ('sitecustomize.py', 'usercustomize.py', 'evil.pth', 'json.py', 'random.py', 'main.py', '__main__.py', 'python.py', '__pycache__/json.cpython-311.pyc', '.pythonrc.py', 'pyvenv.cfg', '.local/lib/python3.11/site-packages/evil.pth', '.config/evil', 'bin/python3', 'ld.so.preload', '.profile', '.bashrc'):
        path = os.path.join(place, name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as file:
                file.write(EVIL)
            planted.append(path)
        except OSError:
            pass
print('outside the writable places:', [path for path in planted if not path.startswith(('/tmp/', '/workspace/', '/dev/shm/'))])
