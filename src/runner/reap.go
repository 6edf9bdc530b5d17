package main

import "syscall"

// reap takes every child that has ended. Orphans of the executions come here too, because this is pid 1.
// It answers how many there were beside launchers, spare and main process.
func (r *runner) reap() int {
	for count := 0; ; {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, &usage)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return count
		}
		if r.ended(pid, status, &usage) {
			count++
		}
	}
}

// takeEnded reaps, notes for the receipt what was killed with an execution's main process, and notices its end.
func (r *runner) takeEnded() {
	ended := r.reap()
	if r.run == nil || r.run.draining {
		r.leftovers += ended
	}
	r.afterReap()
}

// ended takes note of one; it answers whether it was none of those that the runner knows.
func (r *runner) ended(pid int, status syscall.WaitStatus, usage *syscall.Rusage) (other bool) {
	if zygote := r.zygoteOf(pid); zygote != nil {
		zygote.pid = -1
		return false
	}
	if r.spare != nil && r.spare.pid == pid {
		r.spare.pid = -1
		r.dropSpare()
		return false
	}
	if r.dying.pid == pid {
		return false
	}
	if r.run == nil {
		return true
	}
	r.run.userNs += usage.Utime.Nano()
	r.run.systemNs += usage.Stime.Nano()
	if r.run.child.pid == pid {
		r.run.mainGone = true
		r.run.status = status
		r.run.maxRSSBytes = usage.Maxrss * 1024
		return false
	}
	return true
}

func (r *runner) zygoteOf(pid int) *zygote {
	for _, zygote := range r.zygotes {
		if zygote.pid == pid {
			return zygote
		}
	}
	return nil
}
