package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// share is the part of what root has on the host that one sandbox may use up.
const share = 16

// shared are what the kernel counts for whoever made a user namespace as well as for those in it. Root makes all of them:
// what one sandbox took would be lacking in every other.
var shared = []struct{ ofUser, ofNamespace string }{
	{"/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances"},
	{"/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches"},
}

// confined limits what the user namespace that it runs in may take of what is shared, and becomes the command. It returns
// only with an error.
func confined(command []string) error {
	for _, limit := range shared {
		text, err := os.ReadFile(limit.ofUser)
		if err != nil {
			return err
		}
		all, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("%s: %w", limit.ofUser, err)
		}
		if err := os.WriteFile(limit.ofNamespace, []byte(strconv.Itoa(all/share+1)), 0); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", command[0], syscall.Exec(command[0], command, os.Environ()))
}
