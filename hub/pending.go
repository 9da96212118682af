package hub

import (
	"net"
	"time"
)

// An outgoing frame waits for one socket. Others may share its bytes.
type outgoing struct {
	frame   []byte
	counted bool // towards maxWaiting
}

// offer appends a frame, which is never changed afterwards, to what waits for
// the socket, and reports whether it will be sent. It never blocks and does no
// I/O. If the socket has too much waiting, a frame that may be dropped is, and
// one that may not closes the socket with 4002.
func (c *conn) offer(frame []byte, may bool) bool {
	return c.offerIn(&c.f.own, frame, may)
}

// offerToCrowd is offer for a frame that very many sockets get: it goes after
// what concerns few.
func (c *conn) offerToCrowd(frame []byte, may bool) bool {
	return c.offerIn(&c.f.crowds, frame, may)
}

func (c *conn) offerIn(q *queue, frame []byte, may bool) bool {
	if c.offerUpTo(maxWaiting, q, frame) {
		return true
	}
	if !may {
		c.mu.Lock()
		if c.ending == nil {
			c.forget() // that is what it is slow for
			c.slow = true
		}
		c.mu.Unlock()
		c.close(closeSlow, "slow consumer")
	}
	return false
}

func (c *conn) offerControl(frame []byte) { c.offerUpTo(maxWaiting+controlRoom, &c.f.own, frame) }

func (c *conn) offerUpTo(bound int, q *queue, frame []byte) bool {
	c.mu.Lock()
	if c.counted > 0 && c.counted+len(frame) > bound {
		c.mu.Unlock()
		return false
	}
	return c.enqueue(q, outgoing{frame, true})
}

// offerShared is offer for a frame that many sockets share and few have
// waiting, a page of a snapshot: it does not count towards the bound.
func (c *conn) offerShared(frame []byte) bool {
	c.mu.Lock()
	return c.enqueue(&c.f.own, outgoing{frame, false})
}

// enqueue unlocks mu.
func (c *conn) enqueue(q *queue, o outgoing) bool {
	if c.ending != nil {
		c.mu.Unlock()
		return false
	}
	c.append(o)
	push := !c.busy
	c.busy = true
	c.mu.Unlock()
	switch {
	case push:
		c.f.push(q, c)
	case q == &c.f.own:
		c.f.hurry(c)
	}
	return true
}

func (c *conn) append(o outgoing) {
	c.pending = append(c.pending, o)
	c.account(len(o.frame), o.counted)
}

func (c *conn) account(n int, counted bool) {
	c.queued += n
	if counted {
		c.counted += n
	}
	c.f.waiting.Add(int64(n))
}

// take appends what waits to into. If nothing does, the caller has no right
// to write any more; if the socket is closing too, the peer has a last second.
func (c *conn) take(into []outgoing) []outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) > 0 {
		into = append(into, c.pending...)
		clear(c.pending)
		c.pending = c.pending[:0]
		if cap(c.pending) > 4 { // a burst's; idle sockets keep little
			c.pending = nil
		}
		return into
	}
	c.busy = false
	if c.ending != nil {
		c.settle()
	}
	return into
}

// settle ends the writing side; mu is held.
func (c *conn) settle() {
	c.f.waiting.Add(-int64(c.queued))
	c.queued, c.counted = 0, 0
	if t, ok := c.nc.(interface{ CloseWrite() error }); ok {
		t.CloseWrite()
	}
	c.nc.SetReadDeadline(time.Now().Add(closeWait))
	close(c.ending.flushed)
}

// wrote notes that n bytes of batch are written and returns the rest.
func (c *conn) wrote(batch []outgoing, n int) []outgoing {
	c.f.out.Add(int64(n))
	c.mu.Lock()
	defer c.mu.Unlock()
	for n > 0 {
		o := &batch[0]
		part := min(n, len(o.frame))
		c.account(-part, o.counted)
		o.frame = o.frame[part:]
		n -= part
		if len(o.frame) == 0 {
			batch = batch[1:]
		}
	}
	return batch
}

// close sends what waits and then a close frame, gives the peer a second to
// answer, and ends the connection. It does not block. The first cause counts.
func (c *conn) close(code int, reason string) {
	c.mu.Lock()
	if c.ending != nil {
		c.mu.Unlock()
		return
	}
	c.append(outgoing{closeFrame(code, reason), false})
	c.end(code, reason, time.Now())
	push := !c.busy
	c.busy = true
	c.mu.Unlock()
	if push {
		c.f.push(&c.f.own, c)
	} else {
		c.f.hurry(c)
	}
}

// drop cuts the connection. The first cause counts.
func (c *conn) drop(code int, reason string) { c.dropGone(code, reason, time.Now()) }

// dropGone is drop where the peer has not been there since gone, as far as can
// be known.
func (c *conn) dropGone(code int, reason string, gone time.Time) {
	c.cut(code, reason, gone)
	if t, ok := c.nc.(*net.TCPConn); ok {
		t.SetLinger(0) // nobody waits for what the kernel still holds
	}
	c.nc.Close()
}

func (c *conn) cut(code int, reason string, gone time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	if c.ending != nil {
		return
	}
	c.slow = code == closeSlow
	c.end(code, reason, gone)
	if !c.busy {
		c.settle()
	}
}

// end notes the cause of the end; mu is held.
func (c *conn) end(code int, reason string, gone time.Time) {
	c.ending = &ending{code, reason, time.Now(), gone, make(chan struct{})}
}

// forget drops what waits and is not being written; mu is held.
func (c *conn) forget() {
	for _, o := range c.pending {
		c.account(-len(o.frame), o.counted)
	}
	c.pending = nil
}

// ended returns why the connection ended or is about to: the close code, 1005
// and 1006 included, and a word about it; 0 while it lives.
func (c *conn) ended() (code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending == nil {
		return 0, ""
	}
	return c.ending.code, c.ending.reason
}

// endedSlow tells whether this side ended the connection for slowness: its
// peer may give that code too.
func (c *conn) endedSlow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slow && c.ending != nil && c.ending.code == closeSlow
}

// idle tells whether nothing waits to be written.
func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued == 0
}

// sharedWaits returns how many bytes of offerShared wait to be written.
func (c *conn) sharedWaits() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued - c.counted
}

// goneAt returns since when the peer of a connection that has ended is not
// there any more, as far as can be known.
func (c *conn) goneAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending.gone
}

// overdue reports whether the connection has been closing for longer than d.
func (c *conn) overdue(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending != nil && time.Since(c.ending.at) >= d
}
