package main

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"time"
)

const (
	// answerTime is how long nothing at all may come before those who wait for
	// an answer count as errors: much longer than the server lets them.
	answerTime = 30 * time.Second
	// glanceEvery is how soon a load notices that it is to end.
	glanceEvery = 100 * time.Millisecond
	// readAtOnce is what a socket's kernel buffer usually holds at most.
	readAtOnce = 256 << 10
)

// A clientele is the people of a load. One goroutine, the one that calls until
// and rest, is all of them: it waits for their sockets together. All else is
// prepared before the clock starts, so that the servers are what is measured.
type clientele struct {
	*hooks
	poll     *poller
	upgrade  upgrade
	places   []place
	tunnels  []*tunnel // to those of them that speak TLS
	visitors []*visitor
	timers   timers
	buffer   []byte

	heard     [kinds]int64 // messages
	in, out   int64        // bytes
	reads     int64
	lastHeard time.Time     // a message
	waited    time.Duration // for sockets: the rest of the time it was busy
	spun      time.Duration // the processor's time that it took to wait without sleep

	// spins says that it has a processor of its own and does not sleep: to wake
	// it costs a server on the same machine more than what is to be measured,
	// and servers whose people are elsewhere nothing.
	spins bool
}

// A place is a server that people connect to.
type place struct {
	address netip.AddrPort
	host    string
}

// hooks are what a scenario does when something has happened to someone. One
// that is nil does nothing.
type hooks struct {
	opened   func(v *visitor)                               // has a socket
	answered func(v *visitor)                               // has a seat, or was refused
	ended    func(v *visitor, err error)                    // has no socket any more, or got none
	draining func(v *visitor, after time.Duration)          // is to go elsewhere
	changed  func(v *visitor, message []byte, at time.Time) // heard of a change of the room
	updated  func(v *visitor)                               // has changed it
}

func newClientele(servers []*loadTarget) (*clientele, error) {
	c := &clientele{hooks: &hooks{}, upgrade: newUpgrade(), buffer: make([]byte, readAtOnce)}
	var err error
	if c.poll, err = newPoller(); err != nil {
		return nil, err
	}
	for _, s := range servers {
		at, err := c.placeOf(s.url)
		if err != nil {
			c.close()
			return nil, err
		}
		c.places = append(c.places, at)
	}
	return c, nil
}

func (c *clientele) placeOf(server *url.URL) (place, error) {
	port := cmp.Or(server.Port(), map[string]string{"http": "80", "https": "443"}[server.Scheme])
	to := net.JoinHostPort(server.Hostname(), port)
	if server.Scheme == "https" {
		t, err := openTunnel(to, server.Hostname())
		if err != nil {
			return place{}, err
		}
		c.tunnels = append(c.tunnels, t)
		to = t.Addr().String()
	}
	address, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		return place{}, err
	}
	return place{address.AddrPort(), server.Host}, nil
}

// close ends all sockets.
func (c *clientele) close() {
	for _, v := range c.visitors {
		c.hangUp(v)
	}
	c.poll.close()
	for _, t := range c.tunnels {
		t.close()
	}
}

// failure returns why a connection could not be carried to a server.
func (c *clientele) failure() error {
	for _, t := range c.tunnels {
		if err := t.failure(); err != nil {
			return err
		}
	}
	return nil
}

// errQuiet says that those who still wait wait in vain.
var errQuiet = fmt.Errorf("no message came for %v", answerTime)

// until lets things happen until a condition holds. It returns errQuiet where
// nothing more happens.
func (c *clientele) until(ctx context.Context, holds func() bool) error {
	c.lastHeard = time.Now()
	for !holds() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.turn(); err != nil {
			return err
		}
		if time.Since(c.lastHeard) > answerTime {
			return errQuiet
		}
	}
	return nil
}

// rest lets things happen for a time.
func (c *clientele) rest(ctx context.Context, d time.Duration) error {
	over := false
	c.after(d, func() { over = true })
	for !over {
		if err := errors.Join(ctx.Err(), c.turn()); err != nil {
			return err
		}
	}
	return nil
}

// turn waits for what happens next and does what is to be done then.
func (c *clientele) turn() error {
	began := time.Now()
	ready, err := c.await(began.Add(min(glanceEvery, c.timers.next(began))))
	c.waited += time.Since(began)
	for _, r := range ready {
		c.ready(r)
	}
	c.timers.fire(time.Now())
	return err
}

// await waits for sockets until a time.
func (c *clientele) await(until time.Time) (ready []pollEvent, err error) {
	if !c.spins {
		return c.poll.wait(time.Until(until))
	}
	if ready, err = c.poll.wait(0); err != nil || len(ready) > 0 {
		return ready, err
	}
	began := threadTime()
	for err == nil && len(ready) == 0 && time.Now().Before(until) {
		ready, err = c.poll.wait(0)
	}
	c.spun += threadTime() - began
	return ready, err
}

func (c *clientele) ready(r pollEvent) {
	v := c.visitors[r.number]
	if v.connection != r.connection || v.fd == 0 {
		return // of a socket that was closed meanwhile
	}
	if r.writable {
		if c.flush(v); v.connection != r.connection || v.fd == 0 {
			return
		}
	}
	if r.toRead {
		c.read(v)
	}
}

// dial has a visitor connect. What comes of it a hook tells: opened, or ended.
func (c *clientele) dial(v *visitor) {
	v.connection++
	v.upgraded, v.rest, v.fragments = false, nil, nil
	v.dialled = time.Now()
	var err error
	if v.fd, err = c.poll.dial(c.places[v.at].address); err != nil {
		v.fd = 0
		c.after(0, func() { c.end(v, err) })
		return
	}
	v.unsent = v.handshake
	n, err := c.poll.write(v.fd, v.unsent) // on this machine it is connected already
	c.out += int64(n)
	if v.unsent = v.unsent[n:]; err != nil && !errors.Is(err, errBusy) {
		c.after(0, func() { c.end(v, fmt.Errorf("connect: %w", err)) })
		return
	}
	v.writing = len(v.unsent) > 0
	if err := c.poll.add(v.fd, v.number, v.connection, v.writing); err != nil {
		c.after(0, func() { c.end(v, err) })
	}
}

// send sends a frame, which is never changed afterwards.
func (c *clientele) send(v *visitor, frame []byte) {
	if v.fd == 0 {
		return
	}
	if len(v.unsent) > 0 {
		v.unsent = append(v.unsent[:len(v.unsent):len(v.unsent)], frame...)
		return
	}
	v.unsent = frame
	c.flush(v)
	if len(v.unsent) > 0 && v.fd != 0 {
		c.awaitWriting(v, true)
	}
}

// flush writes what a visitor has not sent yet.
func (c *clientele) flush(v *visitor) {
	n, err := c.poll.write(v.fd, v.unsent)
	c.out += int64(n)
	v.unsent = v.unsent[n:]
	switch {
	case err != nil && !errors.Is(err, errBusy):
		c.end(v, fmt.Errorf("write: %w", err))
	case len(v.unsent) == 0 && v.writing:
		c.awaitWriting(v, false)
	}
}

// awaitWriting begins or ends to wait until a socket takes more.
func (c *clientele) awaitWriting(v *visitor, wait bool) {
	v.writing = wait
	if err := c.poll.change(v.fd, v.number, v.connection, wait); err != nil {
		c.end(v, err)
	}
}

func (c *clientele) read(v *visitor) {
	n, err := c.poll.read(v.fd, c.buffer)
	at := time.Now()
	c.in += int64(n)
	c.reads++
	switch {
	case errors.Is(err, errBusy):
	case errors.Is(err, io.EOF):
		c.end(v, errors.New("the server ended the connection"))
	case err != nil:
		c.end(v, fmt.Errorf("read: %w", err))
	default:
		c.take(v, c.buffer[:n], at)
	}
}

// end closes a visitor's socket because of err, and says so.
func (c *clientele) end(v *visitor, err error) {
	c.hangUp(v)
	if c.ended != nil {
		c.ended(v, err)
	}
}

// hangUp closes a visitor's socket as a telephone does that has no network.
func (c *clientele) hangUp(v *visitor) {
	if v.fd != 0 {
		c.poll.hangUp(v.fd)
		v.fd, v.upgraded, v.unsent = 0, false, nil
	}
}

// after has something done later, by until or rest.
func (c *clientele) after(d time.Duration, do func()) {
	heap.Push(&c.timers, timer{time.Now().Add(d), do})
}

// A timer is something to be done at a time.
type timer struct {
	at time.Time
	do func()
}

// timers are a heap, the next one first.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push is for heap.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop is for heap.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// next returns how long it is until there is something to do.
func (t timers) next(now time.Time) time.Duration {
	if len(t) == 0 {
		return glanceEvery
	}
	return max(0, t[0].at.Sub(now))
}

// fire does what was to be done until now.
func (t *timers) fire(now time.Time) {
	for len(*t) > 0 && !(*t)[0].at.After(now) {
		heap.Pop(t).(timer).do()
	}
}
