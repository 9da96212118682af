package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// A tunnel carries the sockets of a load to a server that speaks TLS: what
// connects to its address on this machine is connected there. It is part of
// the client, and makes it slower.
type tunnel struct {
	net.Listener
	to       string // host and port
	host     string // that the certificate must be for
	carrying sync.WaitGroup

	mu    sync.Mutex
	first error // why a connection was not carried; guarded by mu
}

// filesThroughTunnel are the files of one socket: its own two ends and the far
// connection.
const filesThroughTunnel = 3

func openTunnel(to, host string) (*tunnel, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tunnel{Listener: l, to: to, host: host}
	t.carrying.Go(t.accept)
	return t, nil
}

// close ends the tunnel once the near ends are closed.
func (t *tunnel) close() {
	t.Listener.Close()
	t.carrying.Wait()
}

func (t *tunnel) accept() {
	for {
		near, err := t.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			t.fail(err)
			return
		}
		t.carrying.Go(func() { t.carry(near) })
	}
}

func (t *tunnel) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = fmt.Errorf("carry a connection to %s: %w", t.to, err)
	}
}

// failure returns why the first connection was not carried that was not.
func (t *tunnel) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first
}

// carry connects a near end with the server until either side ends.
func (t *tunnel) carry(near net.Conn) {
	defer near.Close()
	dialer := &net.Dialer{Timeout: answerTime}
	far, err := tls.DialWithDialer(dialer, "tcp", t.to, &tls.Config{ServerName: t.host, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.fail(err)
		return
	}
	t.carrying.Go(func() {
		defer far.Close()
		io.Copy(far, near)
	})
	io.Copy(near, far)
}
