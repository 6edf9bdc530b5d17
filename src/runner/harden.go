package main

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// harden makes this process safe from the code it runs. Every signal gets a handler that does nothing rather
// than SIG_IGN, because an ignored signal would stay ignored in every child after exec.
func harden() error {
	if err := prctl(prSetDumpable, 0, 0, 0, 0); err != nil {
		return err
	}
	if err := clearInheritable(); err != nil {
		return err
	}
	if err := closeCgroupRoot(); err != nil {
		return err
	}
	dropped := make(chan os.Signal, 1) // nobody reads it: a full channel drops
	for number := syscall.Signal(1); number < 32; number++ {
		switch number {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG:
		default:
			signal.Notify(dropped, number)
		}
	}
	syscall.Umask(0o022)
	noCore := syscall.Rlimit{}
	return syscall.Setrlimit(rlimitCore, &noCore)
}

// dropChildSignals gives SIGCHLD its default action, with which children still have to be waited for: ends
// are told by pidfd, and a handler would only interrupt the loop for each one.
func dropChildSignals() {
	var action struct {
		handler  uintptr
		flags    uint64
		restorer uintptr
		mask     uint64
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// notifyChildSignals is for kernels without pidfd (gVisor): a byte in a pipe for each burst of ended children.
func notifyChildSignals() (readEnd int, err error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return -1, err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			write(ends[1], []byte{0})
		}
	}()
	return ends[0], nil
}
