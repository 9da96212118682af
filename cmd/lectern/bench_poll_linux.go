package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// atOneLook is few enough that timers are looked at in between.
const atOneLook = 512

// A poller waits for many sockets at once (epoll(7)), so that a load needs one
// goroutine for all of its people, and no memory for those who are quiet.
type poller struct {
	fd     int
	events [atOneLook]unix.EpollEvent
	ready  [atOneLook]pollEvent
}

// A pollEvent says that something can be done with a socket.
type pollEvent struct {
	number           int   // of the visitor
	connection       int32 // which of the visitor's
	writable, toRead bool
}

// errBusy says that a socket takes or has nothing now.
var errBusy = errors.New("not now")

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) close() { unix.Close(p.fd) }

// dial begins to connect a socket. Until it is connected it takes nothing.
func (p *poller) dial(to netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	var address unix.Sockaddr
	if ip := to.Addr().Unmap(); ip.Is4() {
		address = &unix.SockaddrInet4{Port: int(to.Port()), Addr: ip.As4()}
	} else {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: ip.As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return 0, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// add begins to look at a socket: for what it brings, and for whether it can
// be written to.
func (p *poller) add(fd, number int, connection int32, toWrite bool) error {
	event := eventOf(number, connection, toWrite)
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event)
}

// change is add for a socket that is looked at already.
func (p *poller) change(fd, number int, connection int32, toWrite bool) error {
	event := eventOf(number, connection, toWrite)
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &event)
}

func eventOf(number int, connection int32, toWrite bool) unix.EpollEvent {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number), Pad: connection}
	if toWrite {
		event.Events |= unix.EPOLLOUT
	}
	return event
}

// wait returns the sockets with which something can be done, none after the
// given time. What it returns is valid until the next call.
func (p *poller) wait(most time.Duration) ([]pollEvent, error) {
	n, err := unix.EpollWait(p.fd, p.events[:], int((most+time.Millisecond-1)/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	for i, e := range p.events[:max(0, n)] {
		p.ready[i] = pollEvent{
			number: int(e.Fd), connection: e.Pad,
			writable: e.Events&unix.EPOLLOUT != 0, toRead: e.Events&^unix.EPOLLOUT != 0,
		}
	}
	return p.ready[:max(0, n)], nil
}

// threadTime is the processor's time that the calling thread has had.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0 // it knows no error but a clock that is not there
	}
	return time.Duration(t.Nano())
}

// read reads what is there: errBusy if nothing is, io.EOF at the end.
func (p *poller) read(fd int, into []byte) (int, error) {
	n, err := unix.Read(fd, into)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(0, n), usual(err)
}

// write writes what the socket takes now: errBusy if that is nothing.
func (p *poller) write(fd int, data []byte) (int, error) {
	n, err := unix.Write(fd, data)
	return max(0, n), usual(err)
}

func usual(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return errBusy
	}
	return err
}

// forget has a socket not looked at any more, and leaves it open.
func (p *poller) forget(fd int) error { return unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// hangUp closes a socket, which is not looked at any more then.
func (p *poller) hangUp(fd int) { unix.Close(fd) }
