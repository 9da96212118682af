package hub

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// gatherSize is how much a worker writes with one call when several frames
// wait: copying this much costs less than a second system call.
const gatherSize = 64 << 10

// A flusher writes what waits for sockets: few goroutines for any number of
// sockets, each socket with one call for all that waits. No worker ever waits
// for a peer: what a socket does not take at once goes on in a goroutine of
// its own.
type flusher struct {
	// slowAfter is how long a peer may take no byte of what waits for it before
	// it is closed, and how long a closing socket has to take what still waits.
	// Static after construction.
	slowAfter time.Duration
	began     time.Time

	bodies sync.Pool // of *bytes.Buffer: messages being read
	chunks sync.Pool // of *[]byte of chunkSize: what was read ahead of them
	crew   *crew

	in, out, waiting atomic.Int64

	mu      sync.Mutex
	some    sync.Cond // a queue or stopping has changed
	own     queue     // sockets that wait for what concerns few; guarded by mu, as all below
	crowds  queue     // those that wait for what everyone in a room gets
	taken   int       // sockets from either
	stopped bool
}

func newFlusher() *flusher {
	f := &flusher{
		// Long enough for a telephone that changes its network.
		slowAfter: 10 * time.Second,
		began:     time.Now(),
		bodies:    sync.Pool{New: func() any { return new(bytes.Buffer) }},
		chunks:    sync.Pool{New: func() any { return new(make([]byte, chunkSize)) }},
		crew:      newCrew(),
	}
	f.some.L = &f.mu
	return f
}

// traffic returns the bytes read and written so far, and those that wait to be
// written now, over all sockets.
func (f *flusher) traffic() (in, out, waiting int64) {
	return f.in.Load(), f.out.Load(), f.waiting.Load()
}

// run writes until ctx is done and returns when nothing of it runs any more.
// It outlives the sockets: those that still have something to write then are cut.
func (f *flusher) run(ctx context.Context) {
	defer context.AfterFunc(ctx, f.wakeAll)()
	var workers, slow sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() { f.work(ctx, &slow) })
	}
	workers.Wait()
	f.stop()
	slow.Wait()
	f.crew.dismiss()
}

func (f *flusher) wakeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.some.Broadcast()
}

// stop refuses further sockets and cuts those that came too late for a worker.
func (f *flusher) stop() {
	f.mu.Lock()
	f.stopped = true
	var late []*conn
	for _, q := range [...]*queue{&f.own, &f.crowds} {
		for c := q.take(); c != nil; c = q.take() {
			late = append(late, c)
		}
	}
	f.mu.Unlock()
	for _, c := range late {
		f.abandon(c)
	}
}

// abandon ends a socket that nobody will write to any more. The caller has the
// right to write.
func (f *flusher) abandon(c *conn) {
	c.drop(closeGoingAway, "stopped")
	c.take(nil)
}

// push hands over a socket that has something to write, and with it the right
// to write to it.
func (f *flusher) push(q *queue, c *conn) {
	f.mu.Lock()
	if f.stopped {
		f.mu.Unlock()
		f.abandon(c)
		return
	}
	q.add(c)
	f.mu.Unlock()
	f.some.Signal()
}

// hurry puts a socket that waits with a crowd, and now for what is its own,
// among those that do.
func (f *flusher) hurry(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.in == &f.crowds {
		f.crowds.remove(c)
		f.own.add(c)
	}
}

// next waits for a socket that has something to write, and tells whether it is
// one of a crowd; nil when ctx is done and none is left.
func (f *flusher) next(ctx context.Context) (c *conn, crowd bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if f.taken++; f.taken%crowdEvery != 0 {
			c = f.own.take()
		}
		if c != nil {
			return c, false
		}
		if c = f.crowds.take(); c != nil {
			return c, true
		}
		if c = f.own.take(); c != nil || ctx.Err() != nil {
			return c, false
		}
		f.some.Wait()
	}
}

// crowdEvery is how often, of so many sockets, one of a crowd has its turn
// while others wait for what is their own: a crowd is told in the end.
const crowdEvery = 8

// crowdAtOnce is how many of a crowd are written to before whoever else has
// something to do may do it: some 0.3 ms.
const crowdAtOnce = 32

func (f *flusher) work(ctx context.Context, slow *sync.WaitGroup) {
	w := worker{scratch: make([]byte, 0, gatherSize)}
	w.try = w.tryOnce
	var batch []outgoing
	crowded := 0
	for c, crowd := f.next(ctx); c != nil; c, crowd = f.next(ctx) {
		if crowd {
			if crowded++; crowded%crowdAtOnce == 0 {
				runtime.Gosched()
			}
		}
		batch = c.take(batch[:0])
		for len(batch) > 0 {
			rest, err := w.write(c, batch)
			if err != nil {
				c.drop(closeLost, "lost")
			} else if len(rest) > 0 {
				rest = slices.Clone(rest)
				slow.Go(func() { f.writeSlowly(ctx, c, rest) })
				break
			}
			clear(batch)
			batch = c.take(batch[:0])
		}
		clear(batch)
	}
}

// A worker's fields live as long as its goroutine, so that a write allocates nothing.
type worker struct {
	try     func(fd uintptr) bool // tryOnce
	scratch []byte

	buf []byte
	n   int
	err error
}

// write writes what c takes of batch without waiting and returns the rest.
func (w *worker) write(c *conn, batch []outgoing) (rest []outgoing, err error) {
	if c.raw == nil {
		return batch, nil
	}
	for len(batch) > 0 {
		w.buf = w.gather(batch)
		if err := c.raw.Write(w.try); err != nil {
			return nil, err
		}
		if w.err != nil {
			return nil, w.err
		}
		batch = c.wrote(batch, w.n)
		if w.n < len(w.buf) {
			return batch, nil
		}
	}
	return nil, nil
}

// gather returns the frames of batch, as many as fit, as one piece.
func (w *worker) gather(batch []outgoing) []byte {
	if len(batch) == 1 || len(batch[0].frame) >= gatherSize {
		return batch[0].frame
	}
	b := w.scratch[:0]
	for i := 0; i < len(batch) && len(b) < cap(b); i++ {
		b = append(b, batch[i].frame[:min(len(batch[i].frame), cap(b)-len(b))]...)
	}
	return b
}

// tryOnce writes buf as far as the kernel takes it now. It always reports that
// it is done, so that RawConn.Write does not wait.
func (w *worker) tryOnce(fd uintptr) bool {
	for {
		w.n, w.err = syscall.Write(int(fd), w.buf)
		switch {
		case errors.Is(w.err, syscall.EINTR):
			continue
		case errors.Is(w.err, syscall.EAGAIN):
			w.n, w.err = 0, nil
		}
		return true
	}
}

// writeSlowly goes on with a socket that does not take everything at once,
// until it has, or has taken no byte for slowAfter.
func (f *flusher) writeSlowly(ctx context.Context, c *conn, rest []outgoing) {
	defer context.AfterFunc(ctx, func() { c.drop(closeGoingAway, "stopped") })()
	taken := time.Now()
	for len(rest) > 0 {
		// A deadline in steps shows a byte taken early in a long write, so that
		// the end comes at most a quarter late.
		c.nc.SetWriteDeadline(time.Now().Add(f.slowAfter / 4))
		n, err := writeAll(c.nc, rest)
		if n > 0 {
			taken = time.Now()
			rest = c.wrote(rest, n)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if time.Since(taken) >= f.slowAfter || c.overdue(f.slowAfter) {
				c.drop(closeSlow, "slow")
			}
		case err != nil:
			c.drop(closeLost, "lost")
			rest = nil
		}
		if len(rest) == 0 {
			c.nc.SetWriteDeadline(time.Time{})
			rest = c.take(nil)
		}
	}
}

// writeAll writes a batch in one call where the connection can.
func writeAll(nc net.Conn, batch []outgoing) (int, error) {
	frames := make(net.Buffers, len(batch))
	for i, o := range batch {
		frames[i] = o.frame
	}
	n, err := frames.WriteTo(nc)
	return int(n), err
}
