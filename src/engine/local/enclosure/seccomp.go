package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sort"
	"syscall"
	"unsafe"
)

// A seccomp profile in Docker's format, of which the parts that Berth's own uses: every action is SCMP_ACT_ALLOW or
// SCMP_ACT_ERRNO.
type profile struct {
	DefaultAction   string `json:"defaultAction"`
	DefaultErrnoRet uint32 `json:"defaultErrnoRet"`
	Syscalls        []rule `json:"syscalls"`
}

type rule struct {
	Names    []string    `json:"names"`
	Action   string      `json:"action"`
	ErrnoRet uint32      `json:"errnoRet"`
	Args     []condition `json:"args"`
}

// condition compares one argument of a call: all 64 bits of it.
type condition struct {
	Index    uint32 `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

// architecture is how the kernel names the one that this program is compiled for.
type architecture struct {
	audit uint32
	// foreign is the first number of calls of another convention under the same name (x32); 0 for none.
	foreign uint32
}

var nativeArchitecture = map[string]architecture{
	"amd64": {audit: 0xc000003e, foreign: 0x40000000},
	"arm64": {audit: 0xc00000b7},
}[runtime.GOARCH]

const (
	retAllow       = 0x7fff0000
	retErrno       = 0x00050000
	retKillProcess = 0x80000000

	offsetNumber       = 0
	offsetArchitecture = 4
	offsetArguments    = 16

	opLoad  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	opAnd   = 0x54 // BPF_ALU | BPF_AND | BPF_K
	opEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	opAbove = 0x25 // BPF_JMP | BPF_JGT | BPF_K
	opFrom  = 0x35 // BPF_JMP | BPF_JGE | BPF_K
	opRet   = 0x06 // BPF_RET | BPF_K

	maxInstructions = 4096
)

// instruction is struct sock_filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// compileFilter makes the program that the kernel runs at each call. Calls of another architecture end the process, as
// libseccomp has it; what no rule names gets the default.
func compileFilter(text []byte, arch architecture, numbers map[string]uint32) ([]instruction, error) {
	var p profile
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	if arch.audit == 0 {
		return nil, fmt.Errorf("this architecture has no table of calls")
	}
	otherwise, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	program := []instruction{
		{opLoad, 0, 0, offsetArchitecture},
		{opEqual, 1, 0, arch.audit},
		{opRet, 0, 0, retKillProcess},
		{opLoad, 0, 0, offsetNumber},
	}
	if arch.foreign != 0 {
		program = append(program, instruction{opFrom, 0, 1, arch.foreign}, instruction{opRet, 0, 0, otherwise})
	}
	allowed := map[uint32]bool{}
	var special []instruction
	for _, r := range p.Syscalls {
		result, err := action(r.Action, r.ErrnoRet)
		if err != nil {
			return nil, err
		}
		for _, name := range r.Names {
			number, known := numbers[name]
			switch {
			case !known: // not of this architecture
			case len(r.Args) == 0 && result == retAllow:
				allowed[number] = true
			default:
				block, err := conditional(number, r.Args, result)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				special = append(special, block...)
			}
		}
	}
	for _, span := range spans(allowed) {
		program = append(program,
			instruction{opFrom, 0, 2, span.first}, instruction{opAbove, 1, 0, span.last}, instruction{opRet, 0, 0, retAllow})
	}
	program = append(program, special...)
	program = append(program, instruction{opRet, 0, 0, otherwise})
	if len(program) > maxInstructions {
		return nil, fmt.Errorf("%d instructions are more than the kernel takes", len(program))
	}
	return program, nil
}

func action(name string, errno uint32) (uint32, error) {
	switch name {
	case "SCMP_ACT_ALLOW":
		return retAllow, nil
	case "SCMP_ACT_ERRNO":
		if errno == 0 {
			errno = uint32(syscall.EPERM)
		}
		return retErrno | errno, nil
	default:
		return 0, fmt.Errorf("action %q is not supported", name)
	}
}

// conditional returns the result when the number and all conditions hold, and otherwise goes on behind itself, with the
// number loaded again.
func conditional(number uint32, conditions []condition, result uint32) ([]instruction, error) {
	var body []instruction
	var fails []int // instructions whose false branch leaves
	compare := func(offset, mask, value uint32) {
		body = append(body, instruction{opLoad, 0, 0, offset})
		if mask != 0xffffffff {
			body = append(body, instruction{opAnd, 0, 0, mask})
		}
		fails = append(fails, len(body))
		body = append(body, instruction{opEqual, 0, 0, value})
	}
	for _, c := range conditions {
		mask, value := ^uint64(0), c.Value
		switch c.Op {
		case "SCMP_CMP_EQ":
		case "SCMP_CMP_MASKED_EQ":
			mask, value = c.Value, c.ValueTwo
		default:
			return nil, fmt.Errorf("comparison %q is not supported", c.Op)
		}
		low := offsetArguments + 8*c.Index // little-endian, as both architectures are
		compare(low, uint32(mask), uint32(value))
		compare(low+4, uint32(mask>>32), uint32(value>>32))
	}
	body = append(body, instruction{opRet, 0, 0, result})
	for _, at := range fails {
		body[at].jf = uint8(len(body) - at - 1)
	}
	body = append(body, instruction{opLoad, 0, 0, offsetNumber})
	return append([]instruction{{opEqual, 0, uint8(len(body)), number}}, body...), nil
}

type span struct{ first, last uint32 }

// spans are the runs of neighbouring numbers: a range costs as much as one number.
func spans(numbers map[uint32]bool) (list []span) {
	sorted := make([]uint32, 0, len(numbers))
	for number := range numbers {
		sorted = append(sorted, number)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	for _, number := range sorted {
		if n := len(list); n > 0 && list[n-1].last+1 == number {
			list[n-1].last = number
		} else {
			list = append(list, span{number, number})
		}
	}
	return list
}

// install puts the filter on this thread and what it executes; there is no way back.
func install(filter []instruction) error {
	if err := prctl(prSetNoNewPrivs, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	program := struct {
		length uint16
		filter *instruction
	}{uint16(len(filter)), &filter[0]}
	const setSeccomp, modeFilter = 22, 2
	if err := prctl(setSeccomp, modeFilter, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("the seccomp filter: %w", err)
	}
	return nil
}
