package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// innerConfig is what is left to do inside.
type innerConfig struct {
	// Tmpfs are mounted already; bubblewrap cannot limit their inodes.
	Tmpfs []tmpfs `json:"tmpfs"`
	// ReadOnly are paths to be made read-only with all below them; one that this kernel has not is passed over.
	ReadOnly []string `json:"readOnly"`
	// SeccompFd is an open profile in Docker's format.
	SeccompFd int `json:"seccompFd"`
	// CgroupFds are open cgroup.procs files of the cgroups to join.
	CgroupFds []int `json:"cgroupFds"`
	Rlimits   []struct {
		Resource int    `json:"resource"`
		Value    uint64 `json:"value"`
	} `json:"rlimits"`
	OomScoreAdj int `json:"oomScoreAdj"`
	// Command is the runner's; its environment is this process's.
	Command []string `json:"command"`
}

type tmpfs struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Inodes int64  `json:"inodes"`
}

// inner becomes the runner, and returns only with an error.
func inner(c *innerConfig) error {
	for _, t := range c.Tmpfs {
		options := fmt.Sprintf("size=%d,nr_inodes=%d", t.Bytes, t.Inodes)
		if err := syscall.Mount("", t.Path, "", syscall.MS_REMOUNT|syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
			return fmt.Errorf("limiting %s: %w", t.Path, err)
		}
	}
	for _, path := range c.ReadOnly {
		if err := makeReadOnly(path); err != nil {
			return fmt.Errorf("making %s read-only: %w", path, err)
		}
	}
	if err := joinCgroups(c.CgroupFds); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(c.OomScoreAdj)), 0); err != nil {
		return fmt.Errorf("oom_score_adj: %w", err)
	}
	for _, limit := range c.Rlimits {
		value := syscall.Rlimit{Cur: limit.Value, Max: limit.Value}
		if err := syscall.Setrlimit(limit.Resource, &value); err != nil {
			return fmt.Errorf("rlimit %d: %w", limit.Resource, err)
		}
	}
	profile, err := readProfile(c.SeccompFd)
	if err != nil {
		return err
	}
	filter, err := compileFilter(profile, nativeArchitecture, syscallNumbers)
	if err != nil {
		return fmt.Errorf("the seccomp profile: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if err := closeOnExec(); err != nil {
		return err
	}
	if err := install(filter); err != nil {
		return err
	}
	os.Unsetenv("PWD") // bubblewrap's
	return fmt.Errorf("%s: %w", c.Command[0], syscall.Exec(c.Command[0], c.Command, os.Environ()))
}

// makeReadOnly mounts a path on itself, since only a mount can be read-only, with the flags that proc is mounted with: taking
// one away is not allowed.
func makeReadOnly(path string) error {
	if err := syscall.Mount(path, path, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		if err == syscall.ENOENT {
			return nil
		}
		return err
	}
	const flags = syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	return syscall.Mount("", path, "", flags, "")
}

// joinCgroups moves this process, and then hides where on the host its cgroups are.
func joinCgroups(fds []int) error {
	for _, fd := range fds {
		if _, err := syscall.Write(fd, []byte("0")); err != nil {
			return fmt.Errorf("joining a cgroup: %w", err)
		}
	}
	if err := syscall.Unshare(cloneNewCgroup); err != nil {
		return fmt.Errorf("a new cgroup namespace: %w", err)
	}
	return nil
}

func readProfile(fd int) ([]byte, error) {
	file := os.NewFile(uintptr(fd), "the seccomp profile")
	var text []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := file.ReadAt(buffer, int64(len(text)))
		text = append(text, buffer[:n]...)
		if n == 0 {
			if len(text) == 0 {
				return nil, fmt.Errorf("the seccomp profile cannot be read: %w", err)
			}
			return text, nil
		}
	}
}

// closeOnExec keeps from the runner everything but its three streams.
func closeOnExec() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
