package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestReadContainer(t *testing.T) {
	bundle := t.TempDir()
	write(t, filepath.Join(bundle, "config.json"), `{
		"process": {"env": ["A=\"cgroupsPath\":\"/stolen\""]},
		"root": {"path": "rootfs", "readonly": true},
		"linux": {
			"cgroupsPath": "/docker/abc",
			"resources": {
				"memory": {"limit": 1000, "swap": 1000},
				"cpu": {"quota": 5000, "period": 10000},
				"pids": {"limit": 16}
			}
		}
	}`)
	got, err := readContainer(bundle)
	want := container{"/docker/abc", limits{1000, 1000, 5000, 10000, 16}, filepath.Join(bundle, "rootfs")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestCgroupfsPath(t *testing.T) {
	for given, want := range map[string]string{
		"/docker/abc":             "/docker/abc",
		"system.slice:docker:abc": "/berth-gvisor/docker-abc",
		"/docker/../../etc/abc":   "/etc/abc",
		"/":                       "",
		"":                        "",
		"/docker":                 "",
	} {
		got, err := cgroupfsPath(given)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v", given, got, err)
		}
	}
}

func TestParseInvocation(t *testing.T) {
	call := parseInvocation([]string{
		"--platform=ptrace", "--ignore-cgroups", "--root", "/run/create", "--log", "/log.json", "--log-format", "json",
		"create", "--bundle", "/bundle", "--pid-file", "/delete", "abc",
	})
	if call.command != "create" || call.bundle != "/bundle" || call.log != "/log.json" || len(call.args) != 14 {
		t.Fatalf("%+v", call)
	}
	if call := parseInvocation([]string{"--root=/r", "delete", "--force", "abc"}); call.command != "delete" || call.bundle != "." {
		t.Fatalf("%+v", call)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
