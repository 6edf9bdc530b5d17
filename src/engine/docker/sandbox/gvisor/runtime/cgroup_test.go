package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var given = container{"/docker/abc", limits{1 << 20, 1 << 20, 5000, 10000, 16}, "/root"}

// The files of a hierarchy are the kernel's; in a plain directory they have to be there beforehand.
func fakeHost(t *testing.T, files ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, file := range files {
		write(t, filepath.Join(root, file), "")
	}
	return root
}

func expect(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for file, want := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil || strings.TrimSpace(string(text)) != want {
			t.Errorf("%s: got %q, %v", file, text, err)
		}
	}
}

func TestLimitsOfVersion1(t *testing.T) {
	root := fakeHost(t,
		"memory/docker/abc/memory.limit_in_bytes", "memory/docker/abc/cgroup.procs",
		"cpu/docker/abc/cpu.cfs_period_us", "cpu/docker/abc/cpu.cfs_quota_us", "cpu/docker/abc/cgroup.procs",
		"cpuacct/docker/abc/cgroup.procs", "pids/docker/abc/pids.max", "pids/docker/abc/cgroup.procs",
	)
	group, err := newCgroup(root, given)
	if err != nil {
		t.Fatal(err)
	}
	if err := group.make(given.limits); err != nil {
		t.Fatal(err)
	}
	if err := group.enter(); err != nil {
		t.Fatal(err)
	}
	expect(t, root, map[string]string{
		"memory/docker/abc/memory.limit_in_bytes": "1048576",
		"cpu/docker/abc/cpu.cfs_period_us":        "10000",
		"cpu/docker/abc/cpu.cfs_quota_us":         "5000",
		"pids/docker/abc/pids.max":                "512",
		"memory/docker/abc/cgroup.procs":          "0",
		"cpu/docker/abc/cgroup.procs":             "0",
		"cpuacct/docker/abc/cgroup.procs":         "0",
		"pids/docker/abc/cgroup.procs":            "0",
	})
}

func TestLimitsOfVersion2(t *testing.T) {
	root := fakeHost(t, "cgroup.controllers",
		"docker/abc/memory.max", "docker/abc/cpu.max", "docker/abc/pids.max", "docker/abc/cgroup.procs",
		"docker/abc/memory.swap.max", "docker/abc/memory.oom.group",
	)
	group, err := newCgroup(root, given)
	if err != nil {
		t.Fatal(err)
	}
	if err := group.make(given.limits); err != nil {
		t.Fatal(err)
	}
	if err := group.enter(); err != nil {
		t.Fatal(err)
	}
	expect(t, root, map[string]string{
		"cgroup.subtree_control":        "+cpu +memory +pids",
		"docker/cgroup.subtree_control": "+cpu +memory +pids",
		"docker/abc/memory.max":         "1048576",
		"docker/abc/memory.swap.max":    "0",
		"docker/abc/memory.oom.group":   "1",
		"docker/abc/cpu.max":            "5000 10000",
		"docker/abc/pids.max":           "512",
		"docker/abc/cgroup.procs":       "0",
	})
}

func TestNoContainerWithoutControllers(t *testing.T) {
	if _, err := newCgroup(fakeHost(t, "memory/tasks", "cpu/tasks"), given); err == nil {
		t.Fatal("a host without the pids controller was taken")
	}
}
