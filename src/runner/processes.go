package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// processTable lists the processes of the container by reading /proc through one descriptor.
type processTable struct {
	fd     int
	buffer [8 << 10]byte
}

func openProcessTable() (*processTable, error) {
	fd, err := syscall.Open("/proc", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &processTable{fd: fd}, nil
}

// pids of everything in the container, zombies included.
func (t *processTable) pids() ([]int, error) {
	var found []int
	err := listDirectory(t.fd, t.buffer[:], func(name string, _ byte) {
		if pid, err := strconv.Atoi(name); err == nil {
			found = append(found, pid)
		}
	})
	return found, err
}

// hasUID says whether any of them, zombies included, has this real uid.
func (t *processTable) hasUID(uid int) (bool, error) {
	pids, err := t.pids()
	if err != nil {
		return false, err
	}
	for _, pid := range pids {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			continue // It is gone.
		}
		if _, after, found := bytes.Cut(status, []byte("\nUid:")); found {
			if fields := bytes.Fields(after); len(fields) > 0 && string(fields[0]) == strconv.Itoa(uid) {
				return true, nil
			}
		}
	}
	return false, nil
}

// listDirectory calls each for every entry but "." and "..", from the beginning of an open directory.
func listDirectory(fd int, buffer []byte, each func(name string, kind byte)) error {
	if _, err := syscall.Seek(fd, 0, 0); err != nil {
		return err
	}
	for {
		n, err := syscall.ReadDirent(fd, buffer)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		for rest := buffer[:n]; len(rest) > 0; {
			entry := (*syscall.Dirent)(unsafe.Pointer(&rest[0]))
			text := rest[unsafe.Offsetof(entry.Name):entry.Reclen]
			end := 0
			for end < len(text) && text[end] != 0 {
				end++
			}
			if name := string(text[:end]); name != "." && name != ".." {
				each(name, entry.Type)
			}
			rest = rest[entry.Reclen:]
		}
	}
}
