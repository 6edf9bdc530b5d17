package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

const (
	prSetPdeathsig     = 1
	prCapbsetRead      = 23
	prCapbsetDrop      = 24
	prSetNoNewPrivs    = 38
	prCapAmbient       = 47
	prCapAmbientClear  = 4
	capabilityVersion3 = 0x20080522
	lastCapability     = 63
	cloneNewCgroup     = 0x02000000
	oPath              = 0x200000
)

// runnerCapabilities are all that the runner has: it changes into the uids of executions and ends what they left.
var runnerCapabilities = map[uintptr]bool{5: true /* KILL */, 6: true /* SETGID */, 7: true /* SETUID */}

func prctl(option, a, b, c, d uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, c, d, 0); errno != 0 {
		return errno
	}
	return nil
}

// dropCapabilities leaves this thread, and what it executes, with the runner's capabilities and no way to any other.
func dropCapabilities() error {
	var kept uint32
	for capability := uintptr(0); capability <= lastCapability; capability++ {
		if runnerCapabilities[capability] {
			kept |= 1 << capability
			continue
		}
		if prctl(prCapbsetRead, capability, 0, 0, 0) == syscall.EINVAL {
			break // beyond what this kernel knows
		}
		if err := prctl(prCapbsetDrop, capability, 0, 0, 0); err != nil {
			return fmt.Errorf("dropping capability %d: %w", capability, err)
		}
	}
	if err := prctl(prCapAmbient, prCapAmbientClear, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing the ambient capabilities: %w", err)
	}
	header := struct {
		version uint32
		pid     int32
	}{version: capabilityVersion3}
	type set struct{ effective, permitted, inheritable uint32 }
	sets := [2]set{{effective: kept, permitted: kept}}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	return nil
}
