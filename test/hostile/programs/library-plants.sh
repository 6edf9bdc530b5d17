# tries: to leave what loaders and shells read at their start, and to be found first in the search path
# threats: 13
# ends: exited 0
# shows: left
for place in /tmp /workspace /dev/shm "$HOME" /root /etc /usr/local/bin /usr/bin /berth; do
  for name in ld.so.preload ld.so.cache .profile .bashrc .shrc python3 sh runner python.py libc.so.6; do
    echo 'echo planted' 2>/dev/null >"$place/$name"
    chmod 755 "$place/$name" 2>/dev/null
  done
done 2>/dev/null
find / -xdev -type d -writable 2>/dev/null | grep -v -E '^/(tmp|workspace|dev/shm|dev/mqueue|proc)' && echo 'writable elsewhere'
echo left
