# tries: the shell's own fork bomb, left behind by a parent that exits at once
# threats: 7 12
# limits: {"wallMs": 5000}
# ends: exited 0 or wall_timeout
# ends gvisor: exited 0 or wall_timeout or out_of_memory
bomb() { bomb | bomb & }
bomb 2>/dev/null
exit 0
