package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// container is what this program needs of an OCI bundle.
type container struct {
	// cgroupsPath is the cgroup that Docker asks for, below the root of the hierarchy.
	cgroupsPath string
	limits      limits
	// root is the directory on the host that is the container's /.
	root string
}

// limits of a container; 0 for none. memoryBytes and swapBytes as OCI has them: swap is memory and swap together.
type limits struct {
	memoryBytes, swapBytes  int64
	cpuQuotaUs, cpuPeriodUs int64
	pids                    int64
}

func readContainer(bundle string) (container, error) {
	text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		return container{}, err
	}
	var config struct {
		Root  struct{ Path string }
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
			Resources   struct {
				Memory struct{ Limit, Swap int64 }
				CPU    struct{ Quota, Period int64 }
				Pids   struct{ Limit int64 }
			}
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return container{}, fmt.Errorf("%s/config.json: %w", bundle, err)
	}
	path, err := cgroupfsPath(config.Linux.CgroupsPath)
	if err != nil {
		return container{}, err
	}
	root := config.Root.Path
	if !filepath.IsAbs(root) {
		root = filepath.Join(bundle, root)
	}
	r := config.Linux.Resources
	return container{path, limits{r.Memory.Limit, r.Memory.Swap, r.CPU.Quota, r.CPU.Period, r.Pids.Limit}, root}, nil
}

// cgroupfsPath is the directory for either of Docker's cgroup drivers. The one for systemd writes `SLICE:PREFIX:ID`; such a
// container gets a place beside systemd's tree, since systemd takes control away from groups in it that it does not know.
func cgroupfsPath(path string) (string, error) {
	if slice := strings.Split(path, ":"); len(slice) == 3 {
		path = "/berth-gvisor/" + slice[1] + "-" + slice[2]
	}
	clean := filepath.Clean("/" + path)
	if strings.Count(clean, "/") < 2 {
		return "", fmt.Errorf("the container's cgroupsPath is %q; it has to name a cgroup of its own", path)
	}
	return clean, nil
}
