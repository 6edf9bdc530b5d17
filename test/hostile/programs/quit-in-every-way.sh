# tries: to end its group, its session and its parent from a shell
# threats: 6 12
# ends: signalled SIGKILL or exited 137
# shows: before
echo before
trap '' TERM HUP INT
(sleep 600 &)
kill -9 1 2>/dev/null
kill -9 -- -1 2>/dev/null
kill -9 0
