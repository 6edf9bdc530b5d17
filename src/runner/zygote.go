package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	launcherDirectory = "/berth/launchers"
	warmTimeout       = 60 * time.Second
)

// zygote is a launcher that has warmed up and forks a child for each request. It knows nothing of what the
// children run: it gets a uid and five descriptors and never sees a frame.
type zygote struct {
	language string
	pid      int
	socket   int // SOCK_SEQPACKET; the launcher has the other end as descriptor 3
	stderr   int // what a failing launcher says
	report   languageReport
}

// startZygote starts the launcher file of a language: /berth/launchers/<language>.<extension>, an executable
// program. Its standard streams are pipes, as an execution's are, so that what the interpreter makes of them
// at its start also fits the children.
func startZygote(language string, env []string) (*zygote, error) {
	found, _ := filepath.Glob(filepath.Join(launcherDirectory, language+".*"))
	if len(found) != 1 || strings.ContainsAny(language, "/*?[") {
		return nil, fmt.Errorf("%d launchers for %q in %s; exactly one file is needed", len(found), language, launcherDirectory)
	}
	var undo closers
	defer undo.close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	undo.add(pair[0], pair[1])
	var input, output, diagnostics [2]int
	for _, ends := range []*[2]int{&input, &output, &diagnostics} {
		if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
			return nil, err
		}
		undo.add(ends[0], ends[1])
	}
	pid, err := syscall.ForkExec(found[0], []string{found[0]}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   env,
		Files: []uintptr{uintptr(input[0]), uintptr(output[1]), uintptr(diagnostics[1]), uintptr(pair[1])},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", found[0], err)
	}
	undo.keep(pair[0])
	undo.keep(diagnostics[0])
	syscall.SetNonblock(diagnostics[0], true)
	return &zygote{language: language, pid: pid, socket: pair[0], stderr: diagnostics[0]}, nil
}

// awaitWarm blocks until the launcher says that it is ready; only at the runner's own start.
func (z *zygote) awaitWarm() error {
	limit := syscall.NsecToTimeval(int64(warmTimeout))
	syscall.SetsockoptTimeval(z.socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit)
	var buffer [32 << 10]byte
	n, err := read(z.socket, buffer[:])
	if err == nil && n > 0 {
		err = json.Unmarshal(buffer[:n], &z.report)
		if err == nil && z.report.Error != "" {
			err = errors.New(z.report.Error)
		}
	} else if err == syscall.EAGAIN {
		err = fmt.Errorf("not warm after %s", warmTimeout)
	} else {
		said, _ := read(z.stderr, buffer[:])
		if said < 0 {
			said = 0
		}
		err = fmt.Errorf("ended while warming up: %s", strings.TrimSpace(string(buffer[:said])))
	}
	if err != nil {
		syscall.Kill(z.pid, syscall.SIGKILL)
		return fmt.Errorf("launcher %s: %w", z.language, err)
	}
	return syscall.SetNonblock(z.socket, true)
}

// requestFork asks for a child that has the given descriptors, for the path of newChild; the child itself answers on its
// status pipe.
func (z *zygote) requestFork(uid int, bell, path string, descriptors []int) error {
	request := append(strconv.AppendInt(nil, int64(uid), 10), " "+bell+" "+path...)
	err := syscall.Sendmsg(z.socket, request, syscall.UnixRights(descriptors...), nil, syscall.MSG_NOSIGNAL|syscall.MSG_DONTWAIT)
	if err != nil {
		return fmt.Errorf("the %s launcher does not take requests: %w", z.language, err)
	}
	return nil
}

// closers is a list of descriptors to close when a function fails half way.
type closers []int

func (c *closers) add(fds ...int) { *c = append(*c, fds...) }

func (c *closers) keep(fd int) {
	for i, listed := range *c {
		if listed == fd {
			*c = append((*c)[:i], (*c)[i+1:]...)
			return
		}
	}
}

func (c *closers) close() {
	for _, fd := range *c {
		syscall.Close(fd)
	}
}
