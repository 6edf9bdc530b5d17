package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// bell is a datagram socket on which a launcher's child says that its program is over: everything is flushed, and
// only the kernel's work of taking the process down is left, which takes longer than a small program itself. The
// kernel attests the sender's pid, so a program can only announce its own end, with the status it could exit with.
type bell struct {
	fd   int
	name string // in the abstract namespace, chosen by the kernel
}

// bellWallNs: a program that ran for longer is waited for instead, for the exact usage that the kernel then tells.
const bellWallNs = 50e6

func openBell() (*bell, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1); err != nil {
		return nil, err
	}
	name := "berth-bell-" + strconv.FormatInt(monotonicNs(), 36)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "@" + name}); err != nil {
		return nil, fmt.Errorf("bell: %w", err)
	}
	return &bell{fd: fd, name: name}, nil
}

// mostRung bounds each number of a ring: more microseconds than an execution may last, and far from any overflow.
const mostRung = 1 << 40

// ring is what one datagram says.
type ring struct {
	pid, status      int
	userNs, systemNs int64
}

// msgCmsgCloexec is MSG_CMSG_CLOEXEC, which package syscall does not name on every architecture.
const msgCmsgCloexec = 0x40000000

// next takes one datagram; ok is false when there is none. The control buffer has room for the sender's credentials
// and for nothing else: descriptors that a program sends along are dropped by the kernel and never reach the runner.
func (b *bell) next() (heard ring, ok bool) {
	var text [64]byte
	control := make([]byte, syscall.CmsgSpace(syscall.SizeofUcred))
	n, controlBytes, _, _, err := syscall.Recvmsg(b.fd, text[:], control, syscall.MSG_DONTWAIT|msgCmsgCloexec)
	if err != nil {
		return ring{}, false
	}
	messages, err := syscall.ParseSocketControlMessage(control[:controlBytes])
	if err != nil || len(messages) != 1 {
		return ring{}, true
	}
	sender, err := syscall.ParseUnixCredentials(&messages[0])
	fields := strings.Fields(string(text[:n]))
	if err != nil || len(fields) != 3 {
		return ring{}, true
	}
	var numbers [3]int64
	for i, field := range fields {
		if numbers[i], err = strconv.ParseInt(field, 10, 64); err != nil || numbers[i] < 0 || numbers[i] > mostRung {
			return ring{}, true
		}
	}
	return ring{int(sender.Pid), int(numbers[0]), numbers[1] * 1000, numbers[2] * 1000}, true
}

// hearBell ends the execution whose main process says that it is over. The process itself dies meanwhile, and is
// waited for before anything else runs under its uid.
func (r *runner) hearBell() {
	for {
		heard, ok := r.bell.next()
		if !ok {
			return
		}
		e := r.run
		if e == nil || e.mainGone || heard.pid != e.child.pid || heard.status > 255 || monotonicNs()-e.startedNs > bellWallNs {
			continue
		}
		e.userNs, e.systemNs = e.plausible(heard)
		e.status = syscall.WaitStatus(heard.status << 8)
		e.mainGone = true
		e.rang = true
		r.afterReap()
	}
}

// plausible bounds the CPU time that a program tells of itself and its children: at least what the kernel counts
// for the process, at most what the machine can do in the time.
func (e *execution) plausible(heard ring) (userNs, systemNs int64) {
	total := heard.userNs + heard.systemNs
	bounded := total
	if own := processCPUNs(e.child.pid); bounded < own {
		bounded = own
	}
	if most := e.spareCPUNs + (monotonicNs()-e.startedNs)*int64(runtime.NumCPU()); bounded > most {
		bounded = most
	}
	if total == 0 {
		return bounded, 0
	}
	userNs = int64(float64(heard.userNs) / float64(total) * float64(bounded))
	return userNs, bounded - userNs
}
