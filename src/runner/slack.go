package main

import (
	"os"
	"syscall"
)

const (
	prSetTimerSlack = 29
	prGetTimerSlack = 30
	usualSlackNs    = 50_000
	// monitorSlackNs may be as long as nothing of the runtime is waited for: there is one goroutine on one thread.
	monitorSlackNs = 10_000_000
)

// calmMonitor has the runtime's monitor thread sleep for longer. It looks every 20 µs whether a system call blocks a
// processor that others could use, of which there are none here: a hundred wake-ups for each execution. How exactly a
// thread's sleeps end is its timer slack, which a thread has from the one that made it, and which outlives exec: so this
// program sets it and starts again, and then takes the usual one for its own thread and for all that it starts.
func calmMonitor() {
	slack, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prGetTimerSlack, 0, 0)
	if errno != 0 {
		return
	}
	if slack == monitorSlackNs {
		prctl(prSetTimerSlack, usualSlackNs, 0, 0, 0)
		return
	}
	probe := pidfdOpen(os.Getpid())
	if probe < 0 {
		return // ends of processes are then told by a second goroutine, which needs the monitor to get its turn
	}
	syscall.Close(probe)
	self, err := os.Readlink("/proc/self/exe")
	if err != nil || prctl(prSetTimerSlack, monitorSlackNs, 0, 0, 0) != nil {
		return
	}
	syscall.Exec(self, os.Args, os.Environ())
	prctl(prSetTimerSlack, usualSlackNs, 0, 0, 0)
}
