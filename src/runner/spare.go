package main

import (
	"fmt"
	"syscall"
)

// prepare forks a spare for the uid, unless there is one already.
func (r *runner) prepare(uid int, language string) {
	fail := func(message string) {
		r.out.addJSON(framePrepared, 0, preparedReport{UID: uid, Error: message})
	}
	if uid <= 0 {
		fail(fmt.Sprintf("uid %d is not one of an execution", uid))
		return
	}
	if r.run != nil {
		fail("an execution is running: its code could reach a spare")
		return
	}
	r.settle()
	if r.spare != nil {
		if r.spare.uid == uid && r.spare.language == language {
			if r.spare.pid > 0 {
				r.out.addJSON(framePrepared, 0, preparedReport{UID: uid, PID: r.spare.pid})
			}
			return
		}
		r.discardSpare()
	}
	c, err := r.fork(uid, language, "spare")
	if err != nil {
		fail(err.Error())
		return
	}
	r.spare = c
}

// fork asks the language's launcher for a child. The child tells its pid on its status pipe.
func (r *runner) fork(uid int, language, path string) (*child, error) {
	zygote := r.zygote(language)
	if zygote == nil {
		return nil, fmt.Errorf("no launcher for %q lives in this sandbox", language)
	}
	c, theirs, err := newChild(uid, language, path)
	if err != nil {
		return nil, err
	}
	err = zygote.requestFork(uid, r.bell.name, path, theirs)
	closeAll(theirs)
	if err != nil {
		c.close()
		return nil, err
	}
	r.watch(c.status, syscall.EPOLLIN, roleStatus)
	return c, nil
}

// adopt takes note of a child's pid and watches its end and output. The status pipe is no longer watched:
// what a child says on it right before the program starts is read along with the next event, which saves a
// wake-up while the program starts.
func (r *runner) adopt(c *child, pid int) {
	c.pid = pid
	r.unwatch(c.status)
	if r.usePidfd {
		if c.pidfd = pidfdOpen(pid); c.pidfd >= 0 {
			r.watch(c.pidfd, syscall.EPOLLIN, roleMain)
		}
	}
	r.watch(c.stdout, syscall.EPOLLIN, roleStdout)
	r.watch(c.stderr, syscall.EPOLLIN, roleStderr)
}

// hearStatus is called while a child has not told its pid.
func (r *runner) hearStatus(fd int) {
	if r.run != nil && r.run.child.status == fd {
		r.checkStatus()
		return
	}
	c := r.spare
	if c == nil || c.status != fd {
		return
	}
	for _, line := range c.readStatus() {
		if line.PID > 0 && c.pid < 0 {
			r.adopt(c, line.PID)
			us := (monotonicNs() - c.askedNs) / 1000
			r.out.addJSON(framePrepared, 0, preparedReport{UID: c.uid, PID: c.pid, Us: us})
		}
	}
	if c.status < 0 {
		r.dropSpare()
	}
}

// hearZygote: a launcher speaks only to say that it could not fork, and its socket ends when it dies.
func (r *runner) hearZygote(fd int) {
	var buffer [4096]byte
	n, err := read(fd, buffer[:])
	if err == syscall.EAGAIN {
		return
	}
	if err == nil && n > 0 {
		diagnose("launcher: %s", buffer[:n])
		return
	}
	r.unwatch(fd)
	r.takeEnded()
}

// dropSpare forgets a spare that ended, or failed to begin.
func (r *runner) dropSpare() {
	c := r.spare
	r.spare = nil
	if c.pid < 0 {
		r.out.addJSON(framePrepared, 0, preparedReport{UID: c.uid, Error: "the spare ended before it was used"})
	}
	c.close()
}

// discardSpare ends a spare that is not wanted any more.
func (r *runner) discardSpare() {
	c := r.spare
	r.spare = nil
	r.killUID(c.uid)
	c.close()
}
