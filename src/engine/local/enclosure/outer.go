package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// outerConfig is what the daemon knows of a sandbox. Ids are the host's.
type outerConfig struct {
	Bwrap string `json:"bwrap"`
	// RunnerUID is what uid 0 inside is outside.
	RunnerUID int `json:"runnerUid"`
	// FirstUID and UIDCount are the execution uids: the same inside and outside, so that one is unique on the host.
	FirstUID int `json:"firstUid"`
	UIDCount int `json:"uidCount"`
	// Sources are the paths of the host that bubblewrap shall find at stageDirectory, by their number.
	Sources []string `json:"sources"`
	// Arguments are bubblewrap's; they end with the command.
	Arguments []string `json:"arguments"`
	// Descriptors is how many files after standard error the command inherits.
	Descriptors int `json:"descriptors"`
}

// stageDirectory is where sources are staged. Nobody else sees it: it is a mount in a namespace of this process's own, on a
// directory that every host has.
const stageDirectory = "/tmp"

// outer stages the mounts, starts bubblewrap and gives its exit status.
func outer(c *outerConfig) (int, error) {
	if err := dieWithParent(); err != nil {
		return 0, err
	}
	if err := stage(c.Sources); err != nil {
		return 0, err
	}
	pid, err := startInUserNamespace(c)
	if err != nil {
		return 0, fmt.Errorf("%s cannot be started in a user namespace: %w", c.Bwrap, err)
	}
	// What the sandbox is spoken to with is the sandbox's alone.
	for fd := 0; fd < 3+c.Descriptors; fd++ {
		if fd != 2 {
			syscall.Close(fd)
		}
	}
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// dieWithParent has the kernel end this process with the daemon, and with it bubblewrap and the sandbox.
func dieWithParent() error {
	parent := os.Getppid()
	if err := prctl(prSetPdeathsig, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_PDEATHSIG): %w", err)
	}
	if os.Getppid() != parent {
		return fmt.Errorf("the daemon is gone")
	}
	return nil
}

// stage bind-mounts every source below one directory. Bubblewrap opens sources as the unprivileged user that it is outside
// of its namespace, who may not pass a directory of mode 0700 on the way to one.
func stage(sources []string) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS); err != nil {
		return fmt.Errorf("a new mount namespace: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	// A source may lie where the stage will be: all are opened before it covers them.
	opened := make([]string, len(sources))
	for i, source := range sources {
		fd, err := syscall.Open(source, oPath|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		defer syscall.Close(fd)
		opened[i] = "/proc/self/fd/" + strconv.Itoa(fd)
	}
	if err := syscall.Mount("berth", stageDirectory, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("the stage: %w", err)
	}
	for i, source := range opened {
		if err := bindAt(source, filepath.Join(stageDirectory, strconv.Itoa(i))); err != nil {
			return fmt.Errorf("staging %s: %w", sources[i], err)
		}
	}
	return nil
}

func bindAt(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.Mkdir(target, 0o755)
	} else {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	return syscall.Mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, "")
}

// startInUserNamespace runs bubblewrap as uid 0 of a new user namespace. Bubblewrap's own --unshare-user maps a single id;
// the runner needs one for itself and one for each execution.
func startInUserNamespace(c *outerConfig) (int, error) {
	ids := []syscall.SysProcIDMap{
		{ContainerID: 0, HostID: c.RunnerUID, Size: 1},
		{ContainerID: c.FirstUID, HostID: c.FirstUID, Size: c.UIDCount},
	}
	files := make([]uintptr, 3+c.Descriptors)
	for fd := range files {
		files[fd] = uintptr(fd)
	}
	command, err := json.Marshal(append([]string{c.Bwrap}, c.Arguments...))
	if err != nil {
		return 0, err
	}
	return syscall.ForkExec("/proc/self/exe", []string{"enclosure", "confined", string(command)}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags:                 syscall.CLONE_NEWUSER,
			UidMappings:                ids,
			GidMappings:                ids,
			GidMappingsEnableSetgroups: true,
			Credential:                 &syscall.Credential{Uid: 0, Gid: 0},
			Setsid:                     true,
			Pdeathsig:                  syscall.SIGKILL,
		},
	})
}
