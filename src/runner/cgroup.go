package main

import (
	"bytes"
	"fmt"
	"strconv"
	"syscall"
)

const cgroupRoot = "/sys/fs/cgroup"

// closeCgroupRoot takes from the code the right to write there. crun puts the hierarchies of cgroup v1 onto a
// tmpfs that is open to everybody, which is none of the places that a reset cleans.
func closeCgroupRoot() error {
	var stat syscall.Stat_t
	if syscall.Stat(cgroupRoot, &stat) != nil || stat.Mode&0o022 == 0 {
		return nil
	}
	if err := syscall.Chmod(cgroupRoot, 0o755); err != nil && err != syscall.EROFS {
		return fmt.Errorf("%s is open to everybody: %w", cgroupRoot, err)
	}
	return nil
}

// cgroup reads this container's own counters. The files stay open: a read costs microseconds.
type cgroup struct {
	version    string // "v1", "v2" or "none"
	memoryFd   int
	limitFd    int
	oomFd      int
	cpuFd      int
	cpuIsNanos bool
}

func openCgroup() *cgroup {
	c := &cgroup{version: "none", memoryFd: -1, limitFd: -1, oomFd: -1, cpuFd: -1}
	const root = cgroupRoot + "/"
	if fd := openRead(root + "memory/memory.usage_in_bytes"); fd >= 0 {
		c.version, c.memoryFd = "v1", fd
		c.limitFd = openRead(root + "memory/memory.limit_in_bytes")
		c.oomFd = openRead(root + "memory/memory.oom_control")
		c.cpuFd, c.cpuIsNanos = openRead(root+"cpuacct/cpuacct.usage"), true
	} else if fd := openRead(root + "memory.current"); fd >= 0 {
		c.version, c.memoryFd = "v2", fd
		c.limitFd = openRead(root + "memory.max")
		c.oomFd = openRead(root + "memory.events")
		c.cpuFd = openRead(root + "cpu.stat")
	}
	return c
}

func openRead(path string) int {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// memory is the container's current use in bytes, 0 when unknown.
func (c *cgroup) memory() int64 { return readNumber(c.memoryFd) }

// memoryLimit is the container's limit in bytes, 0 for none or unknown.
func (c *cgroup) memoryLimit() int64 {
	limit := readNumber(c.limitFd)
	if limit >= 1<<60 {
		return 0
	}
	return limit
}

// oomKills counts the processes that the memory limit has killed since the container began.
func (c *cgroup) oomKills() int64 { return readField(c.oomFd, "oom_kill ") }

// cpuNs is the CPU time of the whole container; ok is false when there is no counter.
func (c *cgroup) cpuNs() (ns int64, ok bool) {
	if c.cpuFd < 0 {
		return 0, false
	}
	if c.cpuIsNanos {
		return readNumber(c.cpuFd), true
	}
	return readField(c.cpuFd, "usage_usec ") * 1000, true
}

func readNumber(fd int) int64 {
	var buffer [64]byte
	n := readAt(fd, buffer[:])
	number, err := strconv.ParseInt(string(bytes.TrimSpace(buffer[:n])), 10, 64)
	if err != nil {
		return 0 // "max" of cgroup v2 is no limit
	}
	return number
}

// readField finds "name value" in a short file; name ends with its blank and starts a line.
func readField(fd int, name string) int64 {
	var buffer [1024]byte
	for _, line := range bytes.Split(buffer[:readAt(fd, buffer[:])], []byte("\n")) {
		if bytes.HasPrefix(line, []byte(name)) {
			number, _ := strconv.ParseInt(string(line[len(name):]), 10, 64)
			return number
		}
	}
	return 0
}

func readAt(fd int, into []byte) int {
	if fd < 0 {
		return 0
	}
	n, err := syscall.Pread(fd, into, 0)
	if err != nil {
		return 0
	}
	return n
}
