package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOutOfMemory(t *testing.T) {
	const v1, v2 = "memory/docker/abc/memory.oom_control", "docker/abc/memory.events"
	for name, host := range map[string]struct {
		file, text  string
		want, fails bool
	}{
		"v1, killed":           {v1, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", true, false},
		"v1, not killed":       {v1, "oom_kill_disable 0\nunder_oom 1\noom_kill 0\n", false, false},
		"v1 before Linux 4.13": {v1, "oom_kill_disable 0\nunder_oom 1\n", false, true},
		"v2, killed":           {v2, "low 0\nhigh 0\nmax 9\noom 3\noom_kill 3\noom_group_kill 1\n", true, false},
		"v2, not killed":       {v2, "low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\noom_group_kill 0\n", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			root := fakeHost(t, "memory/tasks", "cpu/tasks", "cpuacct/tasks", "pids/tasks")
			if host.file == v2 {
				root = fakeHost(t, "cgroup.controllers")
			}
			write(t, filepath.Join(root, host.file), host.text)
			group, err := newCgroup(root, given)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := group.outOfMemory(); got != host.want || (err != nil) != host.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestMarkIsNeverFollowedNorOverwritten(t *testing.T) {
	root, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	mark := filepath.Join(root, outOfMemoryMark)
	if err := os.Symlink(target, mark); err != nil {
		t.Fatal(err)
	}
	if err := leaveMark(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Fatal("the link was followed")
	}
	os.Remove(mark)
	for attempt := 0; attempt < 2; attempt++ {
		if err := leaveMark(root); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(mark); err != nil {
		t.Fatal(err)
	}
}
