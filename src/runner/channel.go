package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
)

// channelDirectory is a tmpfs of mode 0700 that the daemon gives a container on its own host. Where it is not there,
// frames go over stdin and stdout for good.
const channelDirectory = "/berth/channel"

const channelSocket = channelDirectory + "/socket"

// switchBytes is the size of what each side says first on the socket.
const switchBytes = 8

// channel is the shorter way to the daemon: a socket instead of stdin and stdout, which Docker's processes copy.
//
// Each direction is one stream of bytes, of which the first so many go the old way and the rest through the socket:
// each side begins on the socket with how many, as u64. So nothing is lost or overtaken, whatever is under way.
// The runner says its number first, when it has accepted; the daemon goes on as before until it has it.
type channel struct {
	listener int
	socket   int // -1 until the daemon is connected
	// The daemon's number, as far as it has come, and how many bytes of stdin it tells of; -1 until it is known.
	head       []byte
	stdinBytes int64
}

// openChannel listens, if there is a place to.
func openChannel() *channel {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	if syscall.Bind(fd, &syscall.SockaddrUnix{Name: channelSocket}) != nil || syscall.Listen(fd, 1) != nil {
		syscall.Close(fd)
		return nil
	}
	return &channel{listener: fd, socket: -1, stdinBytes: -1}
}

// acceptChannel takes the daemon's connection, the first that comes from outside of this container: what runs inside
// has a pid here, so that it could not pass for the daemon even if it reached the socket.
func (r *runner) acceptChannel() error {
	c := r.channel
	socket, _, err := syscall.Accept4(c.listener, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
	if err != nil {
		return nil // it has gone again
	}
	peer, err := syscall.GetsockoptUcred(socket, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil || peer.Pid != 0 {
		syscall.Close(socket)
		return nil
	}
	// Waiting for input and waiting for room to write are two entries in epoll, so two descriptors.
	writing, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(socket), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		syscall.Close(socket)
		return nil
	}
	r.unwatch(c.listener)
	syscall.Close(c.listener)
	syscall.Unlink(channelSocket)
	c.listener, c.socket = -1, socket
	r.descriptors++ // two for the listener
	r.watch(socket, syscall.EPOLLIN, roleChannel)
	if r.outBlock {
		r.outBlock = false
		r.unwatch(r.out.fd)
	}
	r.out.moveTo(int(writing))
	return r.flush()
}

// readChannelHead takes the daemon's number; from the byte it tells of, input comes through the socket.
func (r *runner) readChannelHead() error {
	c := r.channel
	var buffer [switchBytes]byte
	n, err := read(c.socket, buffer[:switchBytes-len(c.head)])
	if err == syscall.EAGAIN {
		return nil
	}
	if err != nil || n == 0 {
		return io.EOF
	}
	if c.head = append(c.head, buffer[:n]...); len(c.head) < switchBytes {
		return nil
	}
	c.stdinBytes = int64(binary.BigEndian.Uint64(c.head))
	r.unwatch(c.socket) // until stdin is read so far
	return r.switchInput()
}

// switchInput goes on with the socket when everything has come that the daemon wrote to stdin.
func (r *runner) switchInput() error {
	c := r.channel
	if c == nil || c.stdinBytes < 0 || r.in.fd == c.socket || r.in.total < c.stdinBytes {
		return nil
	}
	if r.in.total > c.stdinBytes {
		return violation{fmt.Sprintf("stdin has %d bytes, %d were told", r.in.total, c.stdinBytes)}
	}
	r.in.fd = c.socket
	r.watch(c.socket, syscall.EPOLLIN, roleInput)
	return nil
}

// readOldInput is what stdin says after the switch: only its end, which is the daemon's.
func readOldInput() error {
	var buffer [1]byte
	n, err := read(0, buffer[:])
	if err == syscall.EAGAIN {
		return nil
	}
	if err == nil && n > 0 {
		return violation{"stdin goes on although the socket is in use"}
	}
	return io.EOF
}
