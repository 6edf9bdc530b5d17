package main

import (
	"encoding/binary"
	"os"
	"testing"
)

// evaluate runs a program as the kernel does, on struct seccomp_data.
func evaluate(t *testing.T, program []instruction, audit uint32, number uint32, arguments ...uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data[offsetNumber:], number)
	binary.LittleEndian.PutUint32(data[offsetArchitecture:], audit)
	for i, argument := range arguments {
		binary.LittleEndian.PutUint64(data[offsetArguments+8*i:], argument)
	}
	var a uint32
	for at := 0; at < len(program); at++ {
		in := program[at]
		holds := false
		switch in.code {
		case opLoad:
			a = binary.LittleEndian.Uint32(data[in.k:])
			continue
		case opAnd:
			a &= in.k
			continue
		case opRet:
			return in.k
		case opEqual:
			holds = a == in.k
		case opAbove:
			holds = a > in.k
		case opFrom:
			holds = a >= in.k
		default:
			t.Fatalf("instruction %d has code 0x%x", at, in.code)
		}
		if holds {
			at += int(in.jt)
		} else {
			at += int(in.jf)
		}
	}
	t.Fatal("the program ends without a result")
	return 0
}

func berthProfile(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../../templates/seccomp/sandbox.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheProfileOfTheSandboxes(t *testing.T) {
	filter, err := compileFilter(berthProfile(t), nativeArchitecture, syscallNumbers)
	if err != nil {
		t.Fatal(err)
	}
	const refused, missing = retErrno | 1, retErrno | 38
	const newUser, afInet, afPacket, afVsock = 0x10000000, 2, 17, 40
	for _, c := range []struct {
		what      string
		name      string
		arguments []uint64
		want      uint32
	}{
		{"reading", "read", nil, retAllow},
		{"executing", "execve", nil, retAllow},
		{"a thread", "clone", []uint64{0x3d0f00}, retAllow},
		{"a user namespace", "clone", []uint64{newUser | 17}, refused},
		{"a namespace in a call whose flags no filter sees", "clone3", nil, missing},
		{"unshare", "unshare", []uint64{newUser}, refused},
		{"setns", "setns", nil, refused},
		{"mount", "mount", nil, refused},
		{"ptrace", "ptrace", nil, refused},
		{"keyctl", "keyctl", nil, refused},
		{"bpf", "bpf", nil, refused},
		{"userfaultfd", "userfaultfd", nil, refused},
		{"io_uring", "io_uring_setup", nil, refused},
		{"a TCP socket", "socket", []uint64{afInet, 1, 0}, retAllow},
		{"a packet socket", "socket", []uint64{afPacket, 3, 0}, refused},
		{"a vsock", "socket", []uint64{afVsock, 1, 0}, refused},
		{"a family that is right in its lower half only", "socket", []uint64{1<<32 | afInet, 1, 0}, refused},
		{"asking for the personality", "personality", []uint64{0xffffffff}, retAllow},
		{"another personality", "personality", []uint64{0x0040000}, refused},
	} {
		number, known := syscallNumbers[c.name]
		if !known {
			t.Fatalf("%s has no number", c.name)
		}
		if got := evaluate(t, filter, nativeArchitecture.audit, number, c.arguments...); got != c.want {
			t.Errorf("%s: 0x%x instead of 0x%x", c.what, got, c.want)
		}
	}
	if got := evaluate(t, filter, 0x40000003, 1); got != retKillProcess {
		t.Errorf("a call of another architecture: 0x%x", got)
	}
	if f := nativeArchitecture.foreign; f != 0 {
		if got := evaluate(t, filter, nativeArchitecture.audit, f|syscallNumbers["read"]); got != refused {
			t.Errorf("a call of the other convention: 0x%x", got)
		}
	}
	if got := evaluate(t, filter, nativeArchitecture.audit, 5000); got != refused {
		t.Errorf("a number that does not exist: 0x%x", got)
	}
}

func TestEachAllowedCallIsAllowedAndNoNeighbour(t *testing.T) {
	numbers := map[string]uint32{"a": 1, "b": 2, "c": 3, "d": 7}
	text := `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13,
		"syscalls":[{"names":["a","b","c","unknown"],"action":"SCMP_ACT_ALLOW"},{"names":["d"],"action":"SCMP_ACT_ALLOW"}]}`
	filter, err := compileFilter([]byte(text), architecture{audit: 9}, numbers)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[uint32]uint32{0: retErrno | 13, 1: retAllow, 2: retAllow, 3: retAllow, 4: retErrno | 13, 6: retErrno | 13, 7: retAllow, 8: retErrno | 13} {
		if got := evaluate(t, filter, 9, number); got != want {
			t.Errorf("%d: 0x%x instead of 0x%x", number, got, want)
		}
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, text := range []string{
		`{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"SCMP_ACT_TRACE"}]}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"op":"SCMP_CMP_GT"}]}]}`,
		`{`,
	} {
		if _, err := compileFilter([]byte(text), architecture{audit: 9}, map[string]uint32{"a": 1}); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}
