//go:build !linux

package main

import (
	"errors"
	"net/netip"
	"time"
)

// A poller is what a load cannot do without, and what only Linux has here.
type poller struct{}

// A pollEvent says that something can be done with a socket.
type pollEvent struct {
	number           int
	connection       int32
	writable, toRead bool
}

var errBusy = errors.New("lectern bench runs on Linux only")

func newPoller() (*poller, error)                       { return nil, errBusy }
func (*poller) close()                                  {}
func (*poller) dial(netip.AddrPort) (int, error)        { return 0, errBusy }
func (*poller) add(int, int, int32, bool) error         { return errBusy }
func (*poller) change(int, int, int32, bool) error      { return errBusy }
func (*poller) wait(time.Duration) ([]pollEvent, error) { return nil, errBusy }
func threadTime() time.Duration                         { return 0 }
func (*poller) read(int, []byte) (int, error)           { return 0, errBusy }
func (*poller) write(int, []byte) (int, error)          { return 0, errBusy }
func (*poller) forget(int) error                        { return errBusy }
func (*poller) hangUp(int)                              {}
