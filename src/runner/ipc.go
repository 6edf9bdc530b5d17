package main

import (
	"bytes"
	"strconv"
	"syscall"
)

const ipcRemove = 0 // IPC_RMID

// ipcKind is one of System V's three kinds of objects: they outlive their processes.
type ipcKind struct {
	table *ipcTable
	call  uintptr
	// how the call takes the command: semctl has a semaphore number in between
	arguments func(id uintptr) [3]uintptr
}

var ipcKinds = []ipcKind{
	{&ipcTable{path: "/proc/sysvipc/shm"}, syscall.SYS_SHMCTL, func(id uintptr) [3]uintptr { return [3]uintptr{id, ipcRemove, 0} }},
	{&ipcTable{path: "/proc/sysvipc/sem"}, syscall.SYS_SEMCTL, func(id uintptr) [3]uintptr { return [3]uintptr{id, 0, ipcRemove} }},
	{&ipcTable{path: "/proc/sysvipc/msg"}, syscall.SYS_MSGCTL, func(id uintptr) [3]uintptr { return [3]uintptr{id, ipcRemove, 0} }},
}

// cleanIPC removes all System V objects as the uid that made them; left is how many remain.
func cleanIPC(uid int) (removed, left int) {
	for _, kind := range ipcKinds {
		ids := kind.table.ids()
		if len(ids) == 0 {
			continue
		}
		asUID(uid, func() {
			for _, id := range ids {
				a := kind.arguments(id)
				if _, _, errno := syscall.Syscall(kind.call, a[0], a[1], a[2]); errno == 0 {
					removed++
				}
			}
		})
		left += len(kind.table.ids())
	}
	return removed, left
}

// ipcTable is one of the kernel's lists of objects. It stays open: reading it again costs one call.
type ipcTable struct {
	path string
	fd   int // 0 until it is opened
}

// open does so once, at the runner's start. No table: the kernel has none of the kind.
func (t *ipcTable) open() { t.fd = openRead(t.path) }

// ids reads the second column of a table whose first line is a heading.
func (t *ipcTable) ids() (ids []uintptr) {
	var text []byte
	for chunk := make([]byte, 4<<10); t.fd >= 0; {
		n, err := syscall.Pread(t.fd, chunk, int64(len(text)))
		if err != nil || n <= 0 {
			break
		}
		text = append(text, chunk[:n]...)
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		fields := bytes.Fields(line)
		if i == 0 || len(fields) < 2 {
			continue
		}
		if id, err := strconv.Atoi(string(fields[1])); err == nil {
			ids = append(ids, uintptr(id))
		}
	}
	return ids
}
