package main

import (
	"fmt"
	"io"
	"syscall"
)

// coalesceRounds is how often the loop looks for further events before it writes what it has: what becomes
// ready together travels together.
const coalesceRounds = 4

// companyNs is how long a program's first output waits for what follows it. A small program ends within a tenth of a
// millisecond after it: then all of it is one message, which spares the daemon and its client a wake-up each.
const companyNs = 150_000

// violation is a breach of the protocol by the daemon, after which the runner does not go on.
type violation struct{ message string }

func (v violation) Error() string { return v.message }

// loop handles events until the daemon closes the input (nil) or something makes going on pointless.
func (r *runner) loop() error {
	var events [16]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(r.epoll, events[:], r.timeoutMs())
		for round := 0; ; round++ {
			if err != nil && err != syscall.EINTR {
				return fmt.Errorf("epoll: %w", err)
			}
			for i := 0; i < n; i++ {
				if err := r.handle(int(events[i].Fd), events[i].Events, role(events[i].Pad)); err != nil {
					return err
				}
			}
			r.tick()
			if round == coalesceRounds || n <= 0 {
				break
			}
			if e := r.run; e != nil && e.isFirstOutput && !e.draining {
				e.isFirstOutput = false
				n, err = epollWaitNs(r.epoll, events[:], companyNs)
			} else {
				n, err = syscall.EpollWait(r.epoll, events[:], 0)
			}
		}
		if err := r.flush(); err != nil {
			return err
		}
	}
}

// flush writes to the daemon; while the daemon does not read, the executions' output is not read either.
func (r *runner) flush() error {
	if r.outBlock {
		return nil
	}
	for {
		blocked, err := r.out.flush()
		if err != nil {
			return io.EOF // the daemon is gone
		}
		if blocked {
			r.outBlock = true
			r.watch(r.out.fd, syscall.EPOLLOUT, roleOutput)
			return nil
		}
		r.resumeOutput() // it may have waited for room
		if r.out.waiting() == 0 {
			return nil
		}
	}
}

func (r *runner) handle(fd int, events uint32, as role) error {
	switch as {
	case roleInput:
		if fd != r.in.fd {
			return readOldInput()
		}
		return r.readInput()
	case roleListener:
		return r.acceptChannel()
	case roleChannel:
		return r.readChannelHead()
	case roleOutput:
		r.outBlock = false
		r.unwatch(fd)
		return r.flush()
	case roleChildSignal:
		var drop [64]byte
		read(fd, drop[:])
		r.takeEnded()
	case roleBell:
		r.hearBell()
	case roleZygote:
		r.hearZygote(fd)
	case roleStatus:
		r.hearStatus(fd)
	case roleMain:
		r.takeEnded()
	case roleStdin:
		if r.run != nil && r.run.child.stdin == fd {
			r.pumpStdin()
		}
	case roleJob:
		if r.run != nil && r.run.child.job == fd {
			r.pumpJob()
		}
	case roleStdout, roleStderr:
		r.hearOutput(fd)
	}
	return nil
}

// readInput takes all frames that have arrived.
func (r *runner) readInput() error {
	for {
		err := r.in.fill()
		if err == syscall.EAGAIN {
			return r.switchInput()
		}
		if err != nil {
			return io.EOF
		}
		for {
			f, ok, err := r.in.next()
			if err != nil {
				return violation{err.Error()}
			}
			if !ok {
				break
			}
			if err := r.obey(f); err != nil {
				return err
			}
		}
		if !r.in.partial() {
			return r.switchInput() // level-triggered: whatever comes next wakes the loop again
		}
	}
}

// obey carries out one frame.
func (r *runner) obey(f frame) error {
	switch f.kind {
	case framePrepare:
		var request prepareRequest
		if err := decode(f, &request); err != nil {
			return err
		}
		r.prepare(request.UID, request.Language)
	case frameStart:
		return r.start(f.execution, f.body)
	case frameStdin:
		return r.stdin(f.execution, f.body)
	case frameKill:
		if len(f.body) != 2 {
			return violation{fmt.Sprintf("KILL has %d bytes, not 2", len(f.body))}
		}
		r.kill(f.execution, syscall.Signal(f.body[0]), f.body[1])
	case frameCredit:
		return r.credit(f.execution, f.body)
	case frameReset:
		var request resetRequest
		if err := decode(f, &request); err != nil {
			return err
		}
		r.reset(request)
	case framePing:
		r.pong()
	default:
		return violation{fmt.Sprintf("frame type 0x%02x is unknown", f.kind)}
	}
	return nil
}
