package main

import (
	"syscall"
)

// runner is the whole state of this program. Only the loop's locked thread touches it.
//
// At any time there is at most one execution and at most one spare, and never both under user code: a spare
// has the execution's uid, so it is forked only when nothing of that uid is left that could reach it.
type runner struct {
	epoll          int
	in             *frameReader
	out            outbox
	outBlock       bool // the daemon does not read: waiting until fd 1 is writable
	cgroup         *cgroup
	processes      *processTable
	answersByUID   bool
	places         []*place
	zygotes        []*zygote
	env            []string // the container's own, the base of every execution's
	self           string   // path of this program, for command mode
	startedNs      int64
	oomKills       int64 // as of the last look
	bell           *bell
	channel        *channel // nil without a place for it
	spare          *child
	run            *execution
	dying          dying
	usePidfd       bool
	tookLargeFrame bool
	leftovers      int // processes killed since the last reset, the executions' main ones not counted
	schedule       schedule
	descriptors    int // open files of the runner between executions
	chunk          [outputChunkBytes]byte
}

// dying is a main process whose end was told by the bell and that is not reaped yet; pid 0 for none.
// pidfd is -1 where the kernel has none.
type dying struct{ pid, uid, pidfd int }

// settle waits for the dying process: nothing may start while a process of an earlier execution lives.
func (r *runner) settle() {
	if r.dying.pid == 0 {
		return
	}
	// It is as good as gone: to sleep until then is cheaper than to look again and again.
	awaitReadable(r.dying.pidfd, int(killTimeout.Milliseconds()))
	closeFd(&r.dying.pidfd)
	r.leftovers += r.reap()
	killed, err := r.killUID(r.dying.uid)
	r.leftovers += killed
	if err != nil {
		diagnose("%v", err)
	}
	r.dying = dying{}
}

func (r *runner) zygote(language string) *zygote {
	for _, zygote := range r.zygotes {
		if zygote.language == language && zygote.pid > 0 && zygote.report.Error == "" {
			return zygote
		}
	}
	return nil
}

// baselineProcesses is the runner and the launchers that live, without a spare.
func (r *runner) baselineProcesses() int {
	count := 1
	for _, zygote := range r.zygotes {
		if zygote.pid > 0 {
			count++
		}
	}
	return count
}

// role says what a descriptor in epoll is for.
type role int32

const (
	roleInput role = iota
	roleListener
	roleChannel
	roleOutput
	roleChildSignal
	roleZygote
	roleBell
	roleStatus
	roleMain
	roleStdin
	roleStdout
	roleStderr
	roleJob
)

func (r *runner) watch(fd int, events uint32, as role) {
	event := syscall.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(as)}
	if err := syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err == syscall.EEXIST {
		syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_MOD, fd, &event)
	}
}

func (r *runner) unwatch(fd int) {
	var event syscall.EpollEvent
	syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_DEL, fd, &event)
}
