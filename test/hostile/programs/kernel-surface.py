# tries: the calls that open the kernel: bpf, userfaultfd, io_uring, perf, keys, modules, kexec, reboot, swap, logs, quotas, memory policy
# threats: 5
# ends: exited 0
# shows: tried \d+, allowed nothing
# shows gvisor: tried \d+, allowed (?!.*(bpf|userfaultfd|io_uring_setup|perf_event_open|add_key|keyctl|init_module|kexec_load|reboot|swapon|open_by_handle_at|memfd_secret) =).*
from kit import attempt_calls, verdict

attempt_calls(
    'bpf', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register', 'perf_event_open', 'add_key', 'request_key',
    'keyctl', 'init_module', 'finit_module', 'delete_module', 'kexec_load', 'kexec_file_load', 'reboot', 'swapon', 'swapoff',
    'syslog', 'quotactl', 'quotactl_fd', 'acct', 'fanotify_init', 'name_to_handle_at', 'open_by_handle_at', 'lookup_dcookie',
    'process_vm_readv', 'process_vm_writev', 'process_madvise', 'pidfd_getfd', 'kcmp', 'ptrace', 'migrate_pages', 'move_pages', 'mbind',
    'set_mempolicy', 'get_mempolicy', 'memfd_secret', 'vmsplice', 'io_setup', 'landlock_create_ruleset', 'seccomp',
    'modify_ldt', 'iopl', 'ioperm', '_sysctl', 'uselib', 'ustat',
)
verdict()
