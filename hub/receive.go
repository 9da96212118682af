package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// chunkSize is how much is read at once while nothing has begun: a usual
// request whole.
const chunkSize = 512

// A tap is the connection as the library sees it.
type tap struct {
	net.Conn
	c *conn
}

// errQuiet tells the library, which does not take it for an end, that the next
// message or frame has not begun.
var errQuiet = errors.New("nothing there")

// Read is called by the goroutine that receives. It waits for the rest of what
// has begun and for nothing else.
func (t *tap) Read(p []byte) (n int, err error) {
	c := t.c
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		c.consume(n)
		if c.current.Load() == 0 {
			c.begin()
		}
		return n, nil
	}
	if c.current.Load() == 0 {
		return 0, errQuiet
	}
	n, err = t.Conn.Read(p)
	c.arrived(n, err)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // io.EOF the library takes for the end of the message
	}
	return n, err
}

// consume takes n bytes off what was read ahead.
func (c *conn) consume(n int) {
	if c.ahead = c.ahead[n:]; len(c.ahead) > 0 {
		return
	}
	c.ahead = nil
	if c.chunk != nil {
		c.f.chunks.Put(c.chunk)
		c.chunk = nil
	}
}

// arrived counts what a read has brought.
func (c *conn) arrived(n int, err error) {
	if n > 0 {
		c.f.in.Add(int64(n))
		c.heard.Store(true)
	}
	if err != nil {
		c.lost = true
	}
}

// Write takes a control frame: the answer to a ping, or a close frame, whose
// code is then the cause of the end.
func (t *tap) Write(p []byte) (int, error) {
	if p[0]&0xf != opClose {
		t.c.offerControl(bytes.Clone(p))
		return len(p), nil
	}
	const header = 2 // of a control frame that is not masked
	code, reason := parseClose(p[header:])
	if !utf8.ValidString(reason) {
		code, reason = closeBadText, "" // the peer's, which the library does not check
	}
	t.c.close(code, reason)
	return len(p), nil
}

// Close is called by the library after a close frame from both sides, which
// serve then knows of, or when a control frame does not end in time.
func (t *tap) Close() error {
	t.c.close(closeMisuse, slowMessage)
	return nil
}

// begin notes that the first byte of a message or frame is there.
func (c *conn) begin() {
	c.messages++
	if c.messages == 0 {
		c.messages++ // 0 stands for none
	}
	c.current.Store(c.messages)
}

// between notes that a whole message, or a control frame outside of one, is
// read: what is there already is the beginning of the next.
func (c *conn) between() {
	if c.br.Buffered() > 0 || len(c.ahead) > 0 {
		c.begin()
	} else {
		c.current.Store(0)
	}
}

// serve reads until the connection ends, and returns when it is over. message
// is called with each text message, valid UTF-8 of at most 32 KiB that it must
// not keep, one after another, on another goroutine. The goroutine that calls
// serve waits for the peer all the time, so it should have done nothing before:
// its stack stays as large as that has made it.
func (c *conn) serve(message func(data []byte)) {
	c.message = message
	for c.err == nil && c.await() {
		c.receiving.Add(1)
		c.f.crew.receive(c)
		c.receiving.Wait()
	}
	c.over()
}

// await waits for the peer to send something, which is then in ahead. It
// returns false if the peer never will.
func (c *conn) await() bool {
	switch {
	case len(c.ahead) > 0:
		return true
	case c.raw == nil:
		c.chunk = c.f.chunks.Get().(*[]byte)
		n, err := c.nc.Read(*c.chunk)
		c.ahead = (*c.chunk)[:n]
		c.arrived(n, err)
	default:
		if err := c.raw.Read(c.readAhead); err != nil {
			c.lost = true
		}
	}
	return len(c.ahead) > 0 || !c.lost
}

// readAhead reads what is there. It returns false if nothing is: a socket that
// waits has no buffer.
func (c *conn) readAhead(fd uintptr) bool {
	chunk := c.f.chunks.Get().(*[]byte)
	n, err := syscall.Read(int(fd), *chunk)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), *chunk)
	}
	if n <= 0 {
		c.f.chunks.Put(chunk)
		c.lost = !errors.Is(err, syscall.EAGAIN)
		return c.lost
	}
	c.chunk, c.ahead = chunk, (*chunk)[:n]
	c.arrived(n, nil)
	return true
}

var errUnsupported = errors.New("binary message")

// receive reads and hands over messages until nothing more is there.
func (c *conn) receive() {
	defer c.receiving.Done()
	for {
		if c.err = c.receiveOne(); c.err != nil {
			break
		}
		if c.between(); c.current.Load() == 0 {
			return
		}
	}
	if errors.Is(c.err, errQuiet) { // there were only control frames
		c.err = nil
	}
}

// receiveOne reads one message and hands it over, unless the connection is
// closing.
func (c *conn) receiveOne() error {
	kind, body, err := c.ws.Reader(context.Background())
	if err != nil {
		return err
	}
	if kind != websocket.MessageText {
		c.close(closeUnsupported, "binary message")
		return errUnsupported
	}
	c.inMessage = true
	b := c.f.bodies.Get().(*bytes.Buffer)
	defer c.f.bodies.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(body); err != nil {
		return err
	}
	c.inMessage = false
	c.current.Store(0) // while it is handled, the peer owes nothing
	if !utf8.Valid(b.Bytes()) {
		c.close(closeBadText, "not UTF-8")
	}
	if code, _ := c.ended(); code == 0 {
		c.message(b.Bytes())
	}
	return nil
}

// over ends a connection from which nothing more is read.
func (c *conn) over() {
	if code, _ := c.ended(); c.lost && code == 0 {
		c.drop(closeLost, "lost")
	} else {
		c.close(closeProtocol, "protocol error")
	}
	<-c.ending.flushed
	if !c.lost && websocket.CloseStatus(c.err) == -1 {
		// What still comes from a peer that did not close yet must be read: the
		// kernel answers unread bytes with a reset that overtakes the close frame.
		io.Copy(io.Discard, c.nc)
	}
	c.nc.Close()
	c.ws.CloseNow() // frees its finalizer
}

// idleMembers bounds the goroutines that wait for something to receive: what an
// instance handles at a moment, in some megabytes of stack.
const idleMembers = 256

// A crew is the goroutines that receive. They are kept for others to come,
// since each new one grows its stack anew.
type crew struct {
	work    chan *conn
	done    chan struct{} // closed: who has nothing to do goes
	idle    atomic.Int32
	members sync.WaitGroup
}

func newCrew() *crew { return &crew{work: make(chan *conn), done: make(chan struct{})} }

// receive has c receive, on a goroutine that has nothing to do or on a new one.
func (w *crew) receive(c *conn) {
	select {
	case w.work <- c:
	default:
		w.members.Go(func() { w.serve(c) })
	}
}

func (w *crew) serve(c *conn) {
	for c != nil {
		c.receive()
		c = w.next()
	}
}

// next waits for something to do; nil: there are enough who wait.
func (w *crew) next() (c *conn) {
	if w.idle.Add(1) <= idleMembers {
		select {
		case c = <-w.work:
		case <-w.done:
		}
	}
	w.idle.Add(-1)
	return c
}

// dismiss ends the crew once its connections are over.
func (w *crew) dismiss() {
	close(w.done)
	w.members.Wait()
}
