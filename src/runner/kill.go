package main

import (
	"fmt"
	"syscall"
	"time"
)

const (
	killTimeout  = 2 * time.Second
	killPauseMin = 50 * time.Microsecond
	killPauseMax = 5 * time.Millisecond
)

// nobody is a uid that no process has.
const nobody = 1<<31 - 2

// answersByUID says whether the kernel can be asked about the processes of a user. gVisor takes the question and
// says yes to everything.
func answersByUID() bool {
	_, err := syscall.Getpriority(syscall.PRIO_USER, nobody)
	return err == syscall.ESRCH
}

// uidAlive says whether any process, or one not reaped yet, has this real uid. One call, and the kernel
// answers at once where the uid has none.
func (r *runner) uidAlive(uid int) bool {
	if !r.answersByUID {
		alive, err := r.processes.hasUID(uid)
		return err != nil || alive
	}
	_, err := syscall.Getpriority(syscall.PRIO_USER, uid)
	return err != syscall.ESRCH
}

// killUID ends every process of the uid and reaps it. The signal is sent as the uid itself, so that no mistake
// can reach the launchers, and to all at once under the kernel's lock, so that a fork bomb cannot outrun it.
// Zombies of a process that lives on become children of pid 1 when that process dies: hence the loop.
func (r *runner) killUID(uid int) (killed int, err error) {
	if uid <= 0 {
		return 0, fmt.Errorf("uid %d is not one of an execution", uid)
	}
	deadlineNs := monotonicNs() + int64(killTimeout)
	wait := int64(killPauseMin)
	for r.uidAlive(uid) {
		if err := asUID(uid, func() { syscall.Kill(-1, syscall.SIGKILL) }); err != nil {
			return killed, fmt.Errorf("uid %d: %w", uid, err)
		}
		reaped := r.reap()
		killed += reaped
		if reaped > 0 {
			continue
		}
		if monotonicNs() > deadlineNs {
			return killed, fmt.Errorf("processes of uid %d are still there after %s", uid, killTimeout)
		}
		pause(wait)
		if wait *= 2; wait > int64(killPauseMax) {
			wait = int64(killPauseMax)
		}
	}
	return killed, nil
}
