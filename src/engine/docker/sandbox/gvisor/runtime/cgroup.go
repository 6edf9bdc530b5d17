package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// goneTimeout is how long killed processes may take to leave their cgroup.
	goneTimeout = 5 * time.Second
	gonePause   = 2 * time.Millisecond
)

// cgroup of one container: a directory for each hierarchy of v1, or one of v2.
type cgroup struct {
	unified bool
	root    string
	path    string
	// directories by controller; of v2 the only one is under "".
	directories map[string]string
}

// v1Controllers hold the limits; cpuacct only counts.
var v1Controllers = []string{"memory", "cpu", "cpuacct", "pids"}

const v2Controllers = "+cpu +memory +pids"

func newCgroup(root string, of container) (*cgroup, error) {
	group := &cgroup{root: root, path: of.cgroupsPath, directories: map[string]string{}}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		group.unified = true
		group.directories[""] = filepath.Join(root, of.cgroupsPath)
		return group, nil
	}
	for _, controller := range v1Controllers {
		hierarchy := filepath.Join(root, controller)
		if _, err := os.Stat(hierarchy); err != nil {
			return nil, fmt.Errorf("the kernel's %s controller is not mounted: %w", controller, err)
		}
		group.directories[controller] = filepath.Join(hierarchy, of.cgroupsPath)
	}
	return group, nil
}

// make creates the cgroup with its limits. Every one of them is held, or it is an error.
func (group *cgroup) make(limits limits) error {
	if group.unified {
		if err := group.delegate(); err != nil {
			return err
		}
	}
	for _, directory := range group.directories {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	for _, setting := range group.settings(limits) {
		file := filepath.Join(group.directories[setting.controller], setting.file)
		err := os.WriteFile(file, []byte(setting.value), 0)
		if err != nil && !(setting.optional && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// delegate gives the controllers to every level above the container's own, as v2 wants it.
func (group *cgroup) delegate() error {
	directory := group.root
	for _, name := range strings.Split(strings.Trim(group.path, "/"), "/") {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(directory, "cgroup.subtree_control"), []byte(v2Controllers), 0); err != nil {
			return err
		}
		directory = filepath.Join(directory, name)
	}
	return nil
}

type setting struct {
	controller, file, value string
	// optional files are there only with kernels that can do more.
	optional bool
}

func (group *cgroup) settings(limits limits) (all []setting) {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	if limits.memoryBytes > 0 {
		if group.unified {
			all = append(all, setting{file: "memory.max", value: number(limits.memoryBytes)})
			// gVisor cannot live on without one of its processes.
			all = append(all, setting{file: "memory.oom.group", value: "1", optional: true})
			if swap := limits.swapBytes - limits.memoryBytes; swap >= 0 {
				all = append(all, setting{file: "memory.swap.max", value: number(swap), optional: true})
			}
		} else {
			all = append(all, setting{"memory", "memory.limit_in_bytes", number(limits.memoryBytes), false})
			if limits.swapBytes > 0 {
				all = append(all, setting{"memory", "memory.memsw.limit_in_bytes", number(limits.swapBytes), true})
			}
		}
	}
	if limits.cpuQuotaUs > 0 && limits.cpuPeriodUs > 0 {
		if group.unified {
			all = append(all, setting{file: "cpu.max", value: number(limits.cpuQuotaUs) + " " + number(limits.cpuPeriodUs)})
		} else {
			all = append(all, setting{"cpu", "cpu.cfs_period_us", number(limits.cpuPeriodUs), false})
			all = append(all, setting{"cpu", "cpu.cfs_quota_us", number(limits.cpuQuotaUs), false})
		}
	}
	if limits.pids > 0 {
		value := number(hostTasks(limits.pids))
		if group.unified {
			all = append(all, setting{file: "pids.max", value: value})
		} else {
			all = append(all, setting{"pids", "pids.max", value, false})
		}
	}
	return all
}

// enter moves this process, with what it will start, into the cgroup.
func (group *cgroup) enter() error {
	for _, directory := range group.directories {
		if err := os.WriteFile(filepath.Join(directory, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	return nil
}

func (group *cgroup) removeIfEmpty() {
	for _, directory := range group.directories {
		syscall.Rmdir(directory)
	}
}

// killAndRemove ends whatever is still inside, and removes the cgroup.
func (group *cgroup) killAndRemove() error {
	deadline := time.Now().Add(goneTimeout)
	for _, directory := range group.directories {
		for {
			err := syscall.Rmdir(directory)
			if err == nil || err == syscall.ENOENT {
				break
			}
			if err != syscall.EBUSY || time.Now().After(deadline) {
				return fmt.Errorf("the container's cgroup %s cannot be removed: %w", directory, err)
			}
			killMembers(directory)
			time.Sleep(gonePause)
		}
	}
	return nil
}

func killMembers(directory string) {
	text, err := os.ReadFile(filepath.Join(directory, "cgroup.procs"))
	if err != nil {
		return // It is gone.
	}
	for _, line := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// hostTasks is how many of the host's threads a container of so many processes may have. On the ptrace platform each process
// of the container is one of the host, with a thread for every thread of gVisor's that has run it, and gVisor's own grow with
// the processes that run at once: sixty that wake up a hundred times a second were seen to have 2,900.
func hostTasks(pids int64) int64 { return ownTasks + tasksPerProcess*pids }

const (
	ownTasks        = 128
	tasksPerProcess = 24
)
