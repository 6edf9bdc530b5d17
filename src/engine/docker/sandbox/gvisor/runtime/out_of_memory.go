package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// outOfMemoryMark is the file in a dead container's root that says that its memory limit killed it. Docker's own flag for
// that may come after the container's end, or never, since it is told of both by different ways. The mark goes with
// the container, whoever removes it, and can be seen through Docker's API, wherever that is.
const outOfMemoryMark = ".berth-out-of-memory"

// outOfMemory tells whether the kernel has killed any process of the cgroup for want of memory. The kernel counts before
// it kills: once the killed are gone, the count is there.
func (group *cgroup) outOfMemory() (bool, error) {
	file := filepath.Join(group.directories["memory"], "memory.oom_control")
	if group.unified {
		file = filepath.Join(group.directories[""], "memory.events")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if count, found := strings.CutPrefix(line, "oom_kill "); found {
			return count != "0", nil
		}
	}
	return false, fmt.Errorf("%s does not count what was killed: the kernel is older than 4.13", file)
}

// markOutOfMemory leaves the mark in the root of a dead container, if it ended by its memory limit.
func markOutOfMemory(of container) error {
	group, err := newCgroup(cgroupRoot, of)
	if err != nil {
		return err
	}
	killed, err := group.outOfMemory()
	if errors.Is(err, os.ErrNotExist) {
		return nil // It was deleted before.
	}
	if err != nil || !killed {
		return err
	}
	return leaveMark(of.root)
}

func leaveMark(root string) error {
	// The image may have anything of that name; nothing is followed or overwritten.
	mark, err := os.OpenFile(filepath.Join(root, outOfMemoryMark), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o444)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return mark.Close()
}
