package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
)

// frame is one message of the daemon. body is valid only until the next call of frameReader.
type frame struct {
	kind      byte
	execution uint32
	body      []byte
}

// inputBufferBytes is the largest frame, with its header, that does not get memory of its own.
const inputBufferBytes = 64 << 10

// frameReader turns the non-blocking input into frames. A small frame is a slice of one fixed buffer;
// a large one gets memory of exactly its size once its length is known, so nothing is copied twice
// and memory is bounded by the largest frame.
type frameReader struct {
	fd         int
	buffer     []byte
	start, end int
	large      []byte // body of a frame that does not fit in buffer
	largeHave  int
	largeKind  byte
	largeExec  uint32
	total      int64 // bytes read so far
}

func newFrameReader(fd int) *frameReader {
	return &frameReader{fd: fd, buffer: make([]byte, inputBufferBytes)}
}

// fill reads once. It answers io.EOF at the end of input and EAGAIN when there is nothing to read now.
func (r *frameReader) fill() error {
	var into []byte
	if r.large != nil {
		into = r.large[r.largeHave:]
	} else {
		if r.start > 0 {
			r.end = copy(r.buffer, r.buffer[r.start:r.end])
			r.start = 0
		}
		into = r.buffer[r.end:]
	}
	n, err := read(r.fd, into)
	if err != nil {
		return err
	}
	if n == 0 {
		return io.EOF
	}
	r.total += int64(n)
	if r.large != nil {
		r.largeHave += n
	} else {
		r.end += n
	}
	return nil
}

// next takes one complete frame out of what was read. ok is false when more input is needed.
func (r *frameReader) next() (f frame, ok bool, err error) {
	if r.large != nil {
		if r.largeHave < len(r.large) {
			return frame{}, false, nil
		}
		f = frame{r.largeKind, r.largeExec, r.large}
		r.large, r.largeHave = nil, 0
		return f, true, nil
	}
	have := r.end - r.start
	if have < frameHeaderBytes {
		return frame{}, false, nil
	}
	head := r.buffer[r.start:]
	length := int(binary.BigEndian.Uint32(head))
	if length < frameOverhead || length > maxIncomingFrame {
		return frame{}, false, fmt.Errorf("a frame says it has %d bytes; %d to %d are allowed", length, frameOverhead, maxIncomingFrame)
	}
	kind, execution := head[4], binary.BigEndian.Uint32(head[5:])
	bodyBytes := length - frameOverhead
	if frameHeaderBytes+bodyBytes > len(r.buffer) {
		r.large = make([]byte, bodyBytes)
		r.largeHave = copy(r.large, r.buffer[r.start+frameHeaderBytes:r.end])
		r.largeKind, r.largeExec = kind, execution
		r.start, r.end = 0, 0
		return r.next()
	}
	if have < frameHeaderBytes+bodyBytes {
		return frame{}, false, nil
	}
	bodyStart := r.start + frameHeaderBytes
	r.start = bodyStart + bodyBytes
	return frame{kind, execution, r.buffer[bodyStart:r.start]}, true, nil
}

// read is read(2) that takes up again after a signal.
func read(fd int, into []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, into)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// write is write(2) that takes up again after a signal.
func write(fd int, from []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, from)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// partial says whether a frame has begun that is not complete yet.
func (r *frameReader) partial() bool { return r.large != nil || r.end > r.start }
