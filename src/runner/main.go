// Command runner is the main process of a sandbox. It speaks frames on stdin and stdout with the daemon,
// starts code as unprivileged users, and makes the sandbox as good as new between executions.
//
// The arguments are the languages whose launchers to warm up; without any it runs commands only.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

func init() {
	// Identity and file system rights are a thread's: everything happens on the first one.
	runtime.LockOSThread()
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400) // the heap is small; collect seldom
}

func main() {
	if os.Args[0] == stageName {
		stageMain()
		return
	}
	calmMonitor()
	r, err := boot(os.Args[1:])
	if err != nil {
		diagnose("%v", err)
		os.Exit(1)
	}
	err = r.loop()
	r.killEverything()
	if broken := (violation{}); errors.As(err, &broken) {
		diagnose("%v", err)
		r.out.addJSON(frameError, 0, errorReport{Message: broken.message})
		syscall.SetNonblock(r.out.fd, false)
		r.out.flush()
		os.Exit(exitProtocol)
	}
	if err != nil && err != io.EOF {
		diagnose("%v", err)
		os.Exit(1)
	}
}

// boot starts the launchers, takes the baseline and says READY.
func boot(languages []string) (*runner, error) {
	startedNs := monotonicNs()
	if err := harden(); err != nil {
		return nil, fmt.Errorf("hardening: %w", err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	r := &runner{
		in: newFrameReader(0), out: outbox{fd: 1}, cgroup: openCgroup(),
		env: os.Environ(), self: self, startedNs: startedNs, answersByUID: answersByUID(),
	}
	if r.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if r.processes, err = openProcessTable(); err != nil {
		return nil, err
	}
	if r.bell, err = openBell(); err != nil {
		return nil, err
	}
	r.watch(r.bell.fd, syscall.EPOLLIN, roleBell)
	if r.channel = openChannel(); r.channel != nil {
		r.watch(r.channel.listener, syscall.EPOLLIN, roleListener)
	}
	reports := r.startZygotes(languages)
	if err := r.watchChildren(); err != nil {
		return nil, err
	}
	if r.places, err = openPlaces(); err != nil {
		return nil, err
	}
	for _, kind := range ipcKinds {
		kind.table.open()
	}
	r.oomKills = r.cgroup.oomKills()
	r.schedule = currentSchedule()
	r.descriptors = openDescriptors()
	for _, fd := range []int{0, 1, 2} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, err
		}
	}
	r.watch(0, syscall.EPOLLIN, roleInput)
	r.out.addJSON(frameReady, 0, readyReport{
		Protocol: 1, Version: version, PID: os.Getpid(), Languages: reports,
		BaselineProcesses: r.baselineProcesses(), Cgroup: r.cgroup.version,
	})
	return r, r.flush()
}

// startZygotes warms all launchers up at the same time. One that cannot start is reported, not fatal.
func (r *runner) startZygotes(languages []string) map[string]languageReport {
	reports := map[string]languageReport{}
	for _, language := range languages {
		zygote, err := startZygote(language, r.env)
		if err != nil {
			reports[language] = languageReport{Error: err.Error()}
			continue
		}
		r.zygotes = append(r.zygotes, zygote)
	}
	var warm []*zygote
	for _, zygote := range r.zygotes {
		if err := zygote.awaitWarm(); err != nil {
			reports[zygote.language] = languageReport{Error: err.Error()}
			syscall.Wait4(zygote.pid, nil, 0, nil)
			continue
		}
		reports[zygote.language] = zygote.report
		r.watch(zygote.socket, syscall.EPOLLIN, roleZygote)
		warm = append(warm, zygote)
	}
	r.zygotes = warm
	return reports
}

// watchChildren decides how ends of processes are noticed.
func (r *runner) watchChildren() error {
	if probe := pidfdOpen(os.Getpid()); probe >= 0 {
		syscall.Close(probe)
		r.usePidfd = true
		dropChildSignals()
		return nil
	}
	fd, err := notifyChildSignals()
	if err != nil {
		return err
	}
	r.watch(fd, syscall.EPOLLIN, roleChildSignal)
	return nil
}

// killEverything is for the end of the runner; the kernel would do it too, as pid 1 takes its namespace along.
func (r *runner) killEverything() {
	if r.run != nil {
		r.killUID(r.run.header.UID)
	}
	if r.spare != nil {
		r.killUID(r.spare.uid)
	}
}

func (r *runner) pong() {
	r.settle()
	pids, _ := r.processes.pids()
	r.out.addJSON(framePong, 0, pongReport{
		Processes:        len(pids),
		MemoryBytes:      r.cgroup.memory(),
		MemoryLimitBytes: r.cgroup.memoryLimit(),
		RootReadOnly:     rootIsReadOnly(),
		UptimeMs:         (monotonicNs() - r.startedNs) / 1e6,
	})
}

// rootIsReadOnly asks the kernel, and where that does not tell (gVisor) tries to write.
func rootIsReadOnly() bool {
	const (
		readOnly = 1 // ST_RDONLY
		probe    = "/.berth-probe"
	)
	var root syscall.Statfs_t
	if syscall.Statfs("/", &root) == nil && root.Flags&readOnly != 0 {
		return true
	}
	fd, err := syscall.Open(probe, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0)
	if err == nil {
		syscall.Close(fd)
		syscall.Unlink(probe)
	}
	return err == syscall.EROFS
}

func decode(f frame, into interface{}) error {
	if err := json.Unmarshal(f.body, into); err != nil {
		return violation{fmt.Sprintf("frame type 0x%02x: %v", f.kind, err)}
	}
	return nil
}

// diagnose writes one line for the operator; never anything of an execution.
func diagnose(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, "runner: "+format+"\n", values...)
}
