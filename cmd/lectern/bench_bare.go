package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// bareRounds are enough for a mean, and take a few seconds.
const bareRounds = 25

// A bareWriter writes to sockets whose other ends the load reads, from where
// servers run: what they do besides is theirs.
type bareWriter struct {
	on    cores
	conns []*net.TCPConn
	frame []byte
	pause time.Duration
	took  time.Duration // of the processor
	err   error
	over  atomic.Bool
}

// bareWrites returns the microseconds of a processor that it takes to write a
// frame of a size to a socket, where all of so many are written to one after
// another so many times a second.
func (b *bench) bareWrites(ctx context.Context, sockets, size int, rate float64) (us float64, err error) {
	most, err := mostFiles()
	if err != nil {
		return 0, err
	}
	if sockets = min(sockets, (most-spareFiles)/2); sockets < 1 { // both ends of each are ours
		return 0, fmt.Errorf("a process may have %d open files here, which is too few", most)
	}
	b.report.Bare.LoopbackSockets = sockets
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	w := &bareWriter{on: b.cores, frame: []byte{0x80 | opText, 126, byte(size >> 8), byte(size)}, pause: time.Duration(float64(time.Second) / rate)}
	w.frame = append(w.frame, make([]byte, size)...)
	before := *b.clientele
	b.places = append(b.places, place{listener.Addr().(*net.TCPAddr).AddrPort(), ""})
	var lost error
	b.hooks = &hooks{ended: func(_ *visitor, err error) { lost = err }}
	var writing sync.WaitGroup
	defer func() {
		for _, c := range w.conns {
			c.Close()
		}
		writing.Wait()
		for _, v := range b.visitors[len(before.visitors):] {
			b.hangUp(v)
		}
		spun, waited := b.spun, b.waited
		*b.clientele = before
		b.spun, b.waited = spun, waited
	}()
	for range sockets {
		v := &visitor{number: len(b.visitors), at: len(b.places) - 1}
		b.visitors = append(b.visitors, v)
		b.dial(v)
		v.upgraded = true
		c, err := listener.Accept()
		if err != nil {
			return 0, err
		}
		w.conns = append(w.conns, c.(*net.TCPConn))
	}
	if b.cores.pinned() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	writing.Go(w.write)
	if err := b.until(ctx, func() bool { return w.over.Load() || lost != nil }); err != nil || lost != nil {
		return 0, errors.Join(err, lost)
	}
	return float64(w.took.Microseconds()) / float64(sockets*bareRounds), w.err
}

// write writes all rounds. Its thread goes with it.
func (w *bareWriter) write() {
	runtime.LockOSThread()
	defer w.over.Store(true)
	if w.err = w.on.join(); w.err != nil {
		return
	}
	for range bareRounds {
		began := threadTime()
		for _, c := range w.conns {
			if _, err := c.Write(w.frame); err != nil {
				w.err = fmt.Errorf("write: %w", err)
				return
			}
		}
		w.took += threadTime() - began
		time.Sleep(w.pause)
	}
}
