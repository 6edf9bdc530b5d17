package main

import (
	"syscall"
	"unsafe"
)

// System calls that package syscall does not wrap, or wraps for all threads at once where only the
// calling thread must change. The loop runs on one locked thread, so per-thread identity is safe here.

const (
	sysPidfdOpen     = 434 // the same on every architecture
	sysEpollPwait2   = 441
	prSetDumpable    = 4
	prCapAmbient     = 47
	prCapAmbientNone = 4 // PR_CAP_AMBIENT_CLEAR_ALL
	clockMonotonic   = 1
	fionread         = 0x541b
	atRemoveDir      = 0x200
	atSymlinkNoFlw   = 0x100
	rlimitCore       = 4
	rlimitFsize      = 1
)

// asFsIdentity runs do with the uid's file system rights and then takes root's again. The user's by way of asUID, since
// gVisor has no file system uid of its own; so only while the uid has no processes, which could send signals meanwhile.
func asFsIdentity(uid int, do func() error) (err error) {
	syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(uid), 0, 0)
	failed := asUID(uid, func() { err = do() })
	syscall.RawSyscall(syscall.SYS_SETFSGID, 0, 0, 0)
	if failed != nil {
		return failed
	}
	return err
}

// asUID runs do with the real and effective uid changed for this thread. The saved uid stays 0, so that the
// identity can be taken back and so that the uid's processes can neither trace this one nor set its limits.
func asUID(uid int, do func()) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), 0); errno != 0 {
		return errno
	}
	do()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func prctl(option, a, b, c, d uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, c, d, 0); errno != 0 {
		return errno
	}
	return nil
}

// pidfdOpen gives a descriptor that becomes readable when the process ends; -1 where the kernel has none.
func pidfdOpen(pid int) int {
	fd, _, errno := syscall.RawSyscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(fd)
}

// epollWaitNs is epoll_wait with a finer timeout; where the kernel has no such call it does not wait.
func epollWaitNs(epoll int, events []syscall.EpollEvent, ns int64) (int, error) {
	timeout := syscall.NsecToTimespec(ns)
	n, _, errno := syscall.Syscall6(sysEpollPwait2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	if errno != 0 {
		return syscall.EpollWait(epoll, events, 0)
	}
	return int(n), nil
}

type pollFd struct {
	fd      int32
	events  int16
	revents int16
}

// awaitReadable blocks until the descriptor is readable or the time is over; not at all for a closed one.
func awaitReadable(fd int, timeoutMs int) {
	if fd < 0 {
		return
	}
	wait := pollFd{fd: int32(fd), events: 1} // POLLIN
	timeout := syscall.NsecToTimespec(int64(timeoutMs) * 1e6)
	syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&wait)), 1, uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
}

// processCPUNs is the CPU time that a process has used so far, 0 when it cannot be read.
func processCPUNs(pid int) int64 {
	var spent syscall.Timespec
	clock := uintptr(^uint32(pid)<<3 | 2) // CPUCLOCK_SCHED of the whole process
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(int32(clock)), uintptr(unsafe.Pointer(&spent)), 0)
	if errno != 0 {
		return 0
	}
	return spent.Nano()
}

func monotonicNs() int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// pause blocks this thread for a short time.
func pause(ns int64) {
	wait := syscall.NsecToTimespec(ns)
	syscall.Nanosleep(&wait, nil)
}

type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

// clearInheritable empties the inheritable and ambient sets, so that no child can get a capability by exec.
func clearInheritable() error {
	header := capHeader{version: 0x20080522}
	var data [2]capData
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		return errno
	}
	data[0].inheritable, data[1].inheritable = 0, 0
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
		return errno
	}
	prctl(prCapAmbient, prCapAmbientNone, 0, 0, 0)
	return nil
}

func unlinkat(dir int, name string, flags int) error {
	path, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_UNLINKAT, uintptr(dir), uintptr(unsafe.Pointer(path)), uintptr(flags))
	if errno != 0 {
		return errno
	}
	return nil
}

func setTimes(fd int, atime, mtime syscall.Timespec) error {
	times := [2]syscall.Timespec{atime, mtime}
	_, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func fstatat(dir int, name string, stat *syscall.Stat_t) error {
	path, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(sysFstatat, uintptr(dir), uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(stat)), atSymlinkNoFlw, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// readable is how many bytes a pipe holds.
func readable(fd int) int {
	var count int32
	syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(fd), fionread, uintptr(unsafe.Pointer(&count)))
	return int(count)
}
