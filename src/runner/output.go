package main

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

const outputChunkBytes = 64 << 10

// credit is a CREDIT frame: so many more bytes of output may be sent.
func (r *runner) credit(number uint32, body []byte) error {
	if len(body) != 4 {
		return violation{fmt.Sprintf("CREDIT has %d bytes, not 4", len(body))}
	}
	if e := r.run; e != nil && e.number == number {
		e.credit += int64(binary.BigEndian.Uint32(body))
		r.resumeOutput()
	}
	return nil
}

// hearOutput is called when a pipe has data or has ended.
func (r *runner) hearOutput(fd int) {
	e := r.run
	if e == nil || e.draining || (e.child.stdout != fd && e.child.stderr != fd) {
		return
	}
	if !e.started {
		r.checkStatus()
		if r.run != e || e.draining {
			return
		}
	}
	if e.child.stdout == fd {
		r.pump(e, &e.child.stdout, frameStdout, &e.stdoutBytes)
	} else {
		r.pump(e, &e.child.stderr, frameStderr, &e.stderrBytes)
	}
}

// resumeOutput goes on with pipes that waited for credit or for the daemon to read.
func (r *runner) resumeOutput() {
	e := r.run
	if e == nil {
		return
	}
	if e.draining {
		r.drain()
		return
	}
	if !e.outputPaused || e.credit == 0 || r.out.full() {
		return
	}
	e.outputPaused = false
	if e.child.stdout >= 0 {
		r.watch(e.child.stdout, syscall.EPOLLIN, roleStdout)
	}
	if e.child.stderr >= 0 {
		r.watch(e.child.stderr, syscall.EPOLLIN, roleStderr)
	}
}

// pauseOutput stops watching altogether: an ended pipe is reported whatever events are asked for.
func (r *runner) pauseOutput(e *execution) {
	if e.outputPaused || e.draining {
		return
	}
	e.outputPaused = true
	if e.child.stdout >= 0 {
		r.unwatch(e.child.stdout)
	}
	if e.child.stderr >= 0 {
		r.unwatch(e.child.stderr)
	}
}

// drain sends what an ended execution left in its pipes. No writer lives: an empty pipe has ended.
func (r *runner) drain() {
	e := r.run
	for _, stream := range []struct {
		fd    *int
		kind  byte
		count *int64
	}{{&e.child.stdout, frameStdout, &e.stdoutBytes}, {&e.child.stderr, frameStderr, &e.stderrBytes}} {
		for *stream.fd >= 0 && !e.discard {
			if r.pump(e, stream.fd, stream.kind, stream.count) {
				continue
			}
			if e.cause != "cancelled" {
				return // waits for credit, or for the daemon to read
			}
			e.truncated, e.discard = true, true // who cancelled does not wait for the rest
		}
	}
	r.finish()
}

// pump moves one read's worth of output. It answers whether there may be more to move now. One byte beyond
// the output limit is read to tell a program that reached the limit from one that exceeded it.
func (r *runner) pump(e *execution, fd *int, kind byte, count *int64) bool {
	want := int64(outputChunkBytes)
	if e.limited && want > e.outputLeft+1 {
		want = e.outputLeft + 1
	}
	if atLimit := e.limited && e.outputLeft == 0; !atLimit {
		if want > e.credit {
			want = e.credit
		}
	}
	if want == 0 || r.out.full() {
		if e.draining && readable(*fd) == 0 {
			closeFd(fd) // nothing is left that would need credit
			return true
		}
		r.pauseOutput(e)
		return false
	}
	n, err := read(*fd, r.chunk[:want])
	if err == syscall.EAGAIN && !e.draining {
		return false
	}
	if err != nil || n == 0 {
		closeFd(fd)
		return true
	}
	data := r.chunk[:n]
	exceeded := e.limited && int64(n) > e.outputLeft
	if exceeded {
		data = data[:e.outputLeft]
	}
	if len(data) > 0 {
		e.isFirstOutput = e.stdoutBytes+e.stderrBytes == 0
		r.out.add(kind, e.number, data)
		*count += int64(len(data))
		e.credit -= int64(len(data))
		e.outputLeft -= int64(len(data))
	}
	if exceeded {
		e.truncated, e.discard = true, true
		if e.draining {
			e.cause = "output_limit"
		} else {
			r.end("output_limit")
		}
	}
	return true
}
