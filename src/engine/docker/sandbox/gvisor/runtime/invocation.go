package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// invocation is one call by Docker's shim: `FLAGS COMMAND OPTIONS ID`.
type invocation struct {
	args    []string
	command string
	// bundle is the container's directory with its config.json: what --bundle says, else the current directory.
	bundle string
	// log is the file that the caller reads the reason of a failure from; empty for none.
	log string
}

// valueFlags are the flags whose value may be an argument of its own; the shim writes them like that.
var valueFlags = map[string]bool{
	"root": true, "log": true, "log-format": true, "bundle": true, "pid-file": true, "console-socket": true,
}

func parseInvocation(args []string) invocation {
	call := invocation{args: args, bundle: "."}
	for at := 0; at < len(args); at++ {
		if !strings.HasPrefix(args[at], "-") {
			if call.command == "" {
				call.command = args[at]
			}
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[at], "-"), "=")
		if !hasValue && valueFlags[name] && at+1 < len(args) {
			at++
			value = args[at]
		}
		switch name {
		case "bundle":
			call.bundle = value
		case "log":
			call.log = value
		}
	}
	return call
}

// reportFailure says why on stderr, and where the shim looks for it.
func (call invocation) reportFailure(err error) {
	message := fmt.Sprintf("berth-runsc: %v", err)
	fmt.Fprintln(os.Stderr, message)
	if call.log == "" {
		return
	}
	file, openError := os.OpenFile(call.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if openError != nil {
		return // It was said on stderr.
	}
	defer file.Close()
	json.NewEncoder(file).Encode(map[string]string{
		"level": "error", "msg": message, "time": time.Now().Format(time.RFC3339),
	})
}
