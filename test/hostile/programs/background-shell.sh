# tries: to leave jobs behind: nohup, setsid, disowned, in a subshell, with its output open
# threats: 12 13
# ends: exited 0
# shows: left
nohup sleep 600 >/dev/null 2>&1 &
setsid sleep 600 &
(setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 600; done' &)
mkfifo /tmp/pipe
cat /tmp/pipe &
echo left
