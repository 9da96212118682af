package main

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A deafLine is what an instance reaches Redis by. While it is deaf, what its
// subscriptions are told is swallowed, their connections stay, and all else
// gets through.
type deafLine struct {
	ctx      context.Context // of the test
	redis    string
	listener net.Listener
	deaf     atomic.Bool
	carrying sync.WaitGroup
}

// addDeaf starts one more instance, behind a line that may be deaf.
func (c *cluster) addDeaf() *deafLine {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	d := &deafLine{ctx: c.t.Context(), redis: c.redis.Addr(), listener: listener}
	d.carrying.Go(d.serve)
	c.add("LECTERN_REDIS_URL=redis://" + listener.Addr().String())
	c.t.Cleanup(func() {
		ended(c.t, listener.Close())
		d.carrying.Wait()
	})
	return d
}

// deafen makes the line deaf for a while.
func (d *deafLine) deafen() time.Time {
	const deafFor = 8 * time.Second // twice what it takes to subscribe anew
	d.deaf.Store(true)
	during(deafFor)
	d.deaf.Store(false)
	return time.Now()
}

// serve takes connections until the listener is closed.
func (d *deafLine) serve() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", d.redis)
		if err != nil {
			client.Close()
			continue
		}
		context.AfterFunc(d.ctx, func() {
			client.Close()
			server.Close()
		})
		var subscribes atomic.Bool
		d.carrying.Go(func() {
			d.pass(client, server, func(said []byte) bool {
				if bytes.Contains(said, []byte("\r\nsubscribe\r\n")) {
					subscribes.Store(true)
				}
				return true
			})
		})
		d.carrying.Go(func() {
			lost := false // what comes after it gets through as little
			d.pass(server, client, func([]byte) bool {
				lost = lost || subscribes.Load() && d.deaf.Load()
				return !lost
			})
		})
	}
}

// pass takes what one side says to the other, as far as that is wanted, until
// either ends.
func (*deafLine) pass(from, to net.Conn, wanted func([]byte) bool) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 1<<14)
	for {
		n, err := from.Read(buffer)
		if err == nil && wanted(buffer[:n]) {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}
