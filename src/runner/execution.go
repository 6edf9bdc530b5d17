package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
)

const (
	workDirectory = "/workspace"
	// firstTickMs: a program that is silent for this long gets its STARTED without waiting for output.
	firstTickMs  = 2
	sampleTickMs = 20
)

// execution is one run, from START to EXIT.
//
// Its main process is starting or running until mainGone; then everything of the uid is killed, and what the
// pipes still hold is sent as credit allows (draining); EXIT ends it.
type execution struct {
	number uint32
	child  *child
	header startHeader

	jobLeft []byte // of the job, not yet taken by the child

	stdinLeft     []byte // not yet taken by the program: the rest of START's stdin, then STDIN frames
	stdinBlobLeft int    // how much of stdinLeft came with START
	stdinUntaken  int    // how much of it came with STDIN frames
	stdinOpen     bool   // more may come

	started       bool // STARTED is sent
	isFirstOutput bool // it has just come, and nothing of the execution is sent yet
	startError    string
	mainGone      bool
	status        syscall.WaitStatus // of the main process, once it is gone
	draining      bool
	rang          bool   // it told its end itself; the process is still dying
	discard       bool   // what is left in the pipes is not sent
	cause         string // why the runner killed it; empty when it ended by itself

	credit       int64
	limited      bool
	outputLeft   int64 // until the output limit, where limited
	outputPaused bool
	truncated    bool

	startedNs    int64
	endedNs      int64
	nextTickNs   int64
	cpuAtStartNs int64
	spareCPUNs   int64 // what the spare had used before it got its job
	userNs       int64
	systemNs     int64
	maxRSSBytes  int64
	peakBytes    int64
	stdoutBytes  int64
	stderrBytes  int64
}

// start begins an execution. What is wrong with the request, or with the sandbox, ends it as start_failed;
// only a frame that does not follow the protocol is a violation.
func (r *runner) start(number uint32, body []byte) error {
	now := monotonicNs()
	if len(body) < 4 {
		return violation{"START has no header"}
	}
	headerBytes := int(binary.BigEndian.Uint32(body))
	if headerBytes > len(body)-4 {
		return violation{fmt.Sprintf("START says its header has %d bytes, the frame has %d", headerBytes, len(body))}
	}
	header, err := scanStart(body[4 : 4+headerBytes])
	if err != nil {
		return violation{"START: " + err.Error()}
	}
	jobBytes := 4 + headerBytes + header.blobBytes()
	if jobBytes+header.Stdin.Size != len(body) {
		return violation{fmt.Sprintf("START has %d bytes, its header tells of %d", len(body), jobBytes+header.Stdin.Size)}
	}
	c, err := r.childFor(&header)
	if err != nil {
		r.out.addJSON(frameExit, number, exitReport{End: "start_failed", Message: err.Error(), Usage: usageReport{PeakMemorySource: "none"}})
		return nil
	}
	e := &execution{
		number: number, child: c, header: header,
		startedNs: now, nextTickNs: now + firstTickMs*1e6,
		stdinOpen: header.Stdin.Open, stdinBlobLeft: header.Stdin.Size, credit: header.OutputCredit,
		limited: header.Limits.OutputBytes > 0, outputLeft: header.Limits.OutputBytes,
	}
	r.run = e
	if c.pid > 0 {
		e.spareCPUNs = processCPUNs(c.pid)
	}
	r.tookLargeFrame = r.tookLargeFrame || len(body) > 4<<20
	e.jobLeft = body[:jobBytes]
	e.stdinLeft = body[jobBytes:]
	r.pumpJob()
	r.pumpStdin()
	if len(body) <= inputBufferBytes { // a larger frame has memory of its own, a small one is overwritten by the next
		e.jobLeft = append([]byte(nil), e.jobLeft...)
		e.stdinLeft = append([]byte(nil), e.stdinLeft...)
	}
	e.peakBytes = r.cgroup.memory()
	if header.Limits.CPUMs > 0 {
		e.cpuAtStartNs = r.cpuNs()
	}
	return nil
}

// blobBytes is the size of code and files together; negative sizes make it fail the comparison with the frame.
func (h *startHeader) blobBytes() int {
	sum := 0
	if h.Code != nil {
		sum += h.Code.Size
	}
	for _, file := range h.Files {
		if file.Size < 0 {
			return -1 << 40
		}
		sum += file.Size
	}
	return sum
}

// childFor gives the process that will run it: the spare where one fits, else a new one.
func (r *runner) childFor(header *startHeader) (*child, error) {
	if r.run != nil {
		return nil, fmt.Errorf("execution %d is still running in this sandbox", r.run.number)
	}
	if header.UID <= 0 {
		return nil, fmt.Errorf("uid %d is not one of an execution", header.UID)
	}
	for _, file := range header.Files {
		if !insideWorkDirectory(file.Path) {
			return nil, fmt.Errorf("file path %q is absolute or climbs out of the work directory", file.Path)
		}
	}
	if spare := r.spare; spare != nil {
		if header.Mode == "launcher" && spare.uid == header.UID && spare.language == header.Language {
			r.spare = nil
			return spare, nil
		}
		r.discardSpare()
	}
	r.settle()
	switch header.Mode {
	case "launcher":
		return r.fork(header.UID, header.Language, "fork")
	case "command":
		return r.spawnStage(header.UID)
	default:
		return nil, fmt.Errorf("mode %q is not launcher or command", header.Mode)
	}
}

func insideWorkDirectory(path string) bool {
	if path == "" || path[0] == '/' || strings.IndexByte(path, 0) >= 0 {
		return false
	}
	for _, part := range strings.Split(path, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// pumpJob hands the job to the child as far as the pipe takes it, and closes the pipe behind it.
func (r *runner) pumpJob() {
	e := r.run
	if rest, blocked := writeSome(e.child.job, e.jobLeft); blocked {
		e.jobLeft = rest
		r.watch(e.child.job, syscall.EPOLLOUT, roleJob)
		return
	}
	e.jobLeft = nil
	closeFd(&e.child.job)
}

// writeSome writes until everything is taken, or the reader has gone, or the pipe is full (blocked).
func writeSome(fd int, data []byte) (rest []byte, blocked bool) {
	for len(data) > 0 && fd >= 0 {
		n, err := write(fd, data)
		if err == syscall.EAGAIN {
			return data, true
		}
		if err != nil {
			return nil, false
		}
		data = data[n:]
	}
	return nil, false
}

// checkStatus reads what the child says before the program begins.
func (r *runner) checkStatus() {
	e := r.run
	for _, line := range e.child.readStatus() {
		switch {
		case line.PID > 0 && e.child.pid < 0:
			r.adopt(e.child, line.PID)
		case line.Error != "" && !e.started:
			e.startError = line.Error
		case line.Path != "" && !e.started:
			path := line.Path
			if path == "spare" {
				path = e.child.path
			}
			e.started = true
			report := startedReport{PID: e.child.pid, Path: path, Reason: line.Reason}
			r.out.add(frameStarted, e.number, report.appendJSON(nil))
		}
	}
	if e.child.status < 0 && e.child.pid < 0 {
		e.startError = "the launcher could not fork: too many processes, or no memory"
		e.mainGone = true
		r.afterReap()
	}
}

// kill is a KILL frame. One for an execution that has ended meanwhile is no error.
func (r *runner) kill(number uint32, signal syscall.Signal, cause byte) {
	e := r.run
	if e == nil || e.number != number {
		return
	}
	if cause == killCancelled {
		r.cancel()
		return
	}
	if e.child.pid > 0 && !e.mainGone {
		syscall.Kill(e.child.pid, signal)
	}
}

// end kills a running execution for the given reason.
func (r *runner) end(cause string) {
	e := r.run
	if e == nil || e.mainGone {
		return
	}
	e.cause = cause
	r.sample()
	r.killLeftovers()
	e.mainGone = true
	r.afterReap()
}

// killLeftovers ends every process of the execution's uid; those beside the main process go into the receipt.
func (r *runner) killLeftovers() {
	killed, err := r.killUID(r.run.header.UID)
	r.leftovers += killed
	if err != nil {
		diagnose("%v", err)
	}
}

// afterReap notices that the main process has gone: the rest of the uid follows it, then the pipes are drained.
func (r *runner) afterReap() {
	e := r.run
	if e == nil || !e.mainGone || e.draining {
		return
	}
	e.endedNs = monotonicNs()
	r.sample()
	if e.rang {
		uid := e.header.UID
		r.dying = dying{e.child.pid, uid, e.child.pidfd}
		if e.child.pidfd >= 0 {
			r.unwatch(e.child.pidfd)
			e.child.pidfd = -1 // whoever waits for the process closes it
		}
		asUID(uid, func() { syscall.Kill(-1, syscall.SIGKILL) })
	} else {
		r.killLeftovers()
	}
	e.draining = true
	r.checkStatus()
	closeFd(&e.child.stdin)
	r.drain()
}

// cancel ends the execution and drops the output that nobody waits for any more.
func (r *runner) cancel() {
	e := r.run
	if e.draining {
		e.cause = "cancelled"
		r.drain()
		return
	}
	r.end("cancelled")
}

func (r *runner) sample() {
	if now := r.cgroup.memory(); now > r.run.peakBytes {
		r.run.peakBytes = now
	}
}
