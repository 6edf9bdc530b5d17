// Command enclosure puts Berth's runner into a sandbox on a host without Docker. It runs three times for each sandbox:
// `outer` on the host, as root, stages what the sandbox may see and makes a user namespace; `confined` in that limits what
// the namespace may take of what all of them share, and becomes bubblewrap; `inner`, started by bubblewrap inside, sets the
// last limits, gives up what it is allowed to do and becomes the runner.
//
// The arguments are the stage and its configuration, JSON. It ends with status 125 when it failed itself, and says why on
// standard error.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

const exitFailed = 125

func init() {
	// Namespaces, capabilities and filters are a thread's: everything happens on the first one.
	runtime.LockOSThread()
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "enclosure: %v\n", err)
		os.Exit(exitFailed)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: enclosure outer|confined|inner CONFIGURATION")
	}
	switch stage := arguments[0]; stage {
	case "outer":
		var c outerConfig
		if err := decode(arguments[1], &c); err != nil {
			return err
		}
		status, err := outer(&c)
		if err == nil {
			os.Exit(status)
		}
		return err
	case "confined":
		var command []string
		if err := decode(arguments[1], &command); err != nil {
			return err
		}
		return confined(command)
	case "inner":
		var c innerConfig
		if err := decode(arguments[1], &c); err != nil {
			return err
		}
		return inner(&c)
	default:
		return fmt.Errorf("there is no stage %q", stage)
	}
}

func decode(text string, into interface{}) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	return nil
}
