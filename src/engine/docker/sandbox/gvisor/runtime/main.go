// Command berth-runsc is an OCI runtime for Docker: gVisor's `runsc`, with the container's limits held by a cgroup.
//
// runsc sets up cgroups of some kernels only, and has to be told to ignore them on the others; then nothing limits a
// container. So this program makes the container's cgroup itself, where Docker asks for it, and enters it before it
// becomes `runsc create`: everything that runsc starts is born inside, and no process can be missed. When the container is
// deleted, it leaves a mark of whether its memory limit ended it, and removes the cgroup.
//
// It is called as runsc is, with runsc's flags before the ones that Docker gives (`runtimeArgs` in daemon.json). What it
// does not know it hands on.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	call := parseInvocation(os.Args[1:])
	var err error
	switch call.command {
	case "create":
		err = create(call)
	case "delete":
		err = remove(call)
	default:
		err = becomeRunsc(call)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	call.reportFailure(err)
	os.Exit(1)
}

// create returns only when it fails, and then leaves no cgroup behind.
func create(call invocation) error {
	container, err := readContainer(call.bundle)
	if err != nil {
		return err
	}
	group, err := newCgroup(cgroupRoot, container)
	if err != nil {
		return err
	}
	if err := group.make(container.limits); err != nil {
		group.removeIfEmpty()
		return fmt.Errorf("the cgroup that is to hold the container's limits: %w", err)
	}
	if err := group.enter(); err != nil {
		return fmt.Errorf("the cgroup that is to hold the container's limits cannot be entered: %w", err)
	}
	return becomeRunsc(call)
}

// remove says how the container ended, lets runsc delete it, and then what is left in its cgroup.
func remove(call invocation) error {
	// Before: the bundle may go with the container.
	container, unreadable := readContainer(call.bundle)
	if unreadable == nil {
		// First of all, as Docker waits only so long for the rest. It is no reason to leave a container behind.
		if err := markOutOfMemory(container); err != nil {
			call.reportFailure(fmt.Errorf("whether its memory limit ended the container cannot be told: %w", err))
		}
	}
	runsc, err := runscPath()
	if err != nil {
		return err
	}
	command := exec.Command(runsc, call.args...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return err
	}
	if unreadable == nil {
		var group *cgroup
		if group, err = newCgroup(cgroupRoot, container); err == nil {
			err = group.killAndRemove()
		}
	}
	if err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

func becomeRunsc(call invocation) error {
	runsc, err := runscPath()
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", runsc, syscall.Exec(runsc, append([]string{runsc}, call.args...), os.Environ()))
}

func runscPath() (string, error) {
	path, err := exec.LookPath("runsc")
	if err != nil {
		return "", fmt.Errorf("gVisor's runsc is not on the PATH of Docker's daemon: %w", err)
	}
	return path, nil
}
