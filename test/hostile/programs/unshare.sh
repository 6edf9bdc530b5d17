# tries: the tools that become root in a namespace of their own, mount, and change root
# threats: 4
# ends: exited 0
# shows: nothing worked
# shows gvisor: ( unshare -r true;| unshare -U true;| mknod /tmp/mem c 1 1;)*|nothing worked

# gVisor gives everybody user namespaces, of its own kernel, and nodes that open nothing of the host.
worked=
try() { if "$@" >/dev/null 2>&1; then worked="$worked $*;"; fi; }
try unshare -r true
try unshare -m true
try unshare -p -f true
try unshare -n true
try unshare -U true
try mount -t tmpfs none /tmp
try mount --bind / /tmp
try mount -o remount,rw /
try umount /proc
try umount -l /workspace
try chroot / true
try nsenter -t 1 -m true
try nsenter -t 1 -a true
try mknod /tmp/mem c 1 1
try pivot_root /tmp /tmp
try swapon /tmp
try hostname other
try date -s 2001-01-01
echo "${worked:-nothing worked}"
