package main

import (
	"encoding/binary"
	"syscall"
)

// outboxHighBytes is how much may wait for the daemon before the pipes of an execution are no longer read.
const outboxHighBytes = 256 << 10

// outbox collects the frames of one turn of the loop and writes them with one call where the peer takes them.
// Only output frames can be many, and those stop at outboxHighBytes: memory is bounded.
type outbox struct {
	fd      int
	pending []byte
	sent    int
	total   int64 // bytes that fd has taken
}

func (o *outbox) add(kind byte, execution uint32, body []byte) {
	o.pending = appendFrame(o.pending, kind, execution, body)
}

func (o *outbox) addJSON(kind byte, execution uint32, report interface{}) {
	o.add(kind, execution, mustJSON(report))
}

// moveTo has everything that fd has not taken, and all that follows, written to another descriptor, behind the number of
// bytes that fd has taken.
func (o *outbox) moveTo(fd int) {
	moved := binary.BigEndian.AppendUint64(nil, uint64(o.total))
	o.pending, o.sent = append(moved, o.pending[o.sent:]...), 0
	o.fd = fd
}

func (o *outbox) waiting() int { return len(o.pending) - o.sent }

func (o *outbox) full() bool { return o.waiting() >= outboxHighBytes }

// flush writes what the peer takes now. blocked says that more is left for when the descriptor is writable.
func (o *outbox) flush() (blocked bool, err error) {
	for o.sent < len(o.pending) {
		n, err := write(o.fd, o.pending[o.sent:])
		if err == syscall.EAGAIN {
			o.pending = o.pending[:copy(o.pending, o.pending[o.sent:])]
			o.sent = 0
			return true, nil
		}
		if err != nil {
			return false, err
		}
		o.sent += n
		o.total += int64(n)
	}
	o.sent = 0
	if cap(o.pending) > 2*outboxHighBytes {
		o.pending = nil
	} else {
		o.pending = o.pending[:0]
	}
	return false, nil
}
