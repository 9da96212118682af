package hub

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
)

const (
	subprotocol = "lectern.v1"

	// maxMessage bounds what a client may send at once: its longest request,
	// open with every option, is far below.
	maxMessage = 32 << 10

	// maxWaiting bounds what waits for one socket: some seconds of a storm's
	// roster events, and small enough that 10,000 dead telephones fit in memory.
	maxWaiting = 256 << 10
	// controlRoom is for pings and pongs beyond that: a peer that is behind is
	// alive and hears so. Five seconds of the longest pongs.
	controlRoom = 4 << 10

	// readBuffer is for the headers of frames; what they carry is read around it.
	readBuffer = 32
	// writeBuffer holds the longest control frame, 2 + 125 bytes, so that the
	// library writes each with one call. It writes nothing else.
	writeBuffer = 128

	// kernelBuffer bounds what the kernel takes for a peer that does not read,
	// else several MiB; it doubles the number for its own use.
	kernelBuffer = 128 << 10

	// pingEvery is well under the 60 s after which proxies drop silent connections.
	pingEvery = 25 * time.Second
	// maxSilence leaves room for two lost pings.
	maxSilence = 60 * time.Second
	// maxMessageTime is from a message's first byte to its last: 32 KiB at 52 kbit/s.
	maxMessageTime = 5 * time.Second
	// maxPings a second from a client: each is answered, past every other limit.
	maxPings = 5
	// closeWait is how long the peer has to answer a close frame: one round
	// trip on a bad mobile network.
	closeWait = time.Second
)

// A conn is one WebSocket connection. Its reading side belongs to the
// goroutine that calls serve; every byte to the peer goes through one queue
// that a flusher empties, so that frames stay whole and in order.
type conn struct {
	// Static after upgrade.
	f   *flusher
	ws  *websocket.Conn
	br  *bufio.Reader // the library's
	nc  net.Conn
	raw syscall.RawConn // nil where nc has no descriptor, as a pipe

	// Owned by serve and what it waits for.
	message   func(data []byte)
	ahead     []byte  // read, and not yet taken by the library
	chunk     *[]byte // what ahead is a part of; nil: of nothing that others use again
	err       error   // what ended the reading
	lost      bool    // reading failed, or the peer ended without a close frame
	inMessage bool    // between a message's first header and its last byte
	messages  uint32
	pings     *rate.Limiter // nil before the first: browsers send none
	receiving sync.WaitGroup

	// Written by serve's side, read by sweep.
	heard   atomic.Bool   // something came since the last sweep
	current atomic.Uint32 // number of the message or frame that has begun; 0: none

	// Owned by sweep.
	seen                     uint32        // the value of current that began at since
	since, lastHeard, pinged time.Duration // after f.began; the peer counts as heard at first

	in         *queue // where it waits to be written to; nil: nowhere; guarded by f.mu
	prev, next *conn  // there

	mu sync.Mutex
	// Guarded by mu.
	busy    bool       // the right to write is with f: queued, or being written
	slow    bool       // it is closed, or about to be, for what it does not take
	pending []outgoing // whole frames
	queued  int        // bytes in pending and in f's hands
	counted int        // those of them that count towards maxWaiting
	ending  *ending    // nil while it lives
}

// An ending is how a connection comes to its end. It is never changed.
type ending struct {
	code    int // the first cause
	reason  string
	at      time.Time
	gone    time.Time     // since when the peer is not there, as far as can be known
	flushed chan struct{} // closed when nothing more is written
}

// upgrade answers the handshake of a WebSocket and returns the connection,
// which lives on when the HTTP handler returns and belongs to the caller, who
// calls serve. It selects lectern.v1 if that is offered and goes without if
// not. The caller has checked host and origin. After an error the response is
// written.
func upgrade(w http.ResponseWriter, r *http.Request, f *flusher) (*conn, error) {
	now := time.Since(f.began)
	c := &conn{f: f, lastHeard: now, pinged: now}
	ws, err := websocket.Accept(&handshake{ResponseWriter: w, c: c}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true,
		OnPingReceived:     c.gotPing,
		OnPongReceived:     c.gotPong,
	})
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	ws.SetReadLimit(maxMessage)
	c.ws = ws
	return c, nil
}

// A handshake is the ResponseWriter that the library takes a connection from.
type handshake struct {
	http.ResponseWriter
	c *conn
}

// WriteHeader leaves the answer that all is well to Hijack.
func (h *handshake) WriteHeader(status int) {
	if status != http.StatusSwitchingProtocols {
		h.ResponseWriter.WriteHeader(status)
	}
}

// answerSize is what an answer takes.
const answerSize = 192

// answer is the server's half of the handshake (RFC 6455, 4.2.2). It waits for
// the socket as frames do, so that the first of them goes with it.
func (h *handshake) answer() []byte {
	b := append(make([]byte, 0, answerSize), "HTTP/1.1 101 Switching Protocols\r\n"...)
	for _, name := range [...]string{"Connection", "Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"} {
		if value := h.Header().Get(name); value != "" {
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// Hijack gives the library small buffers and a connection that c listens in on.
func (h *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if seen, ok := h.ResponseWriter.(*observed); ok {
		seen.status = http.StatusSwitchingProtocols
	}
	// The library keeps the selected subprotocol as the client wrote it, and
	// with it the whole header with its passports.
	if h.Header().Get("Sec-WebSocket-Protocol") != "" {
		h.Header().Set("Sec-WebSocket-Protocol", subprotocol)
	}
	c := h.c
	if n := brw.Reader.Buffered(); n > 0 {
		early, _ := brw.Reader.Peek(n)
		c.ahead = bytes.Clone(early)
		c.arrived(n, nil)
	}
	c.nc = nc
	if s, ok := nc.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetWriteBuffer(kernelBuffer)
	}
	c.offer(h.answer(), false)
	t := &tap{Conn: nc, c: c}
	c.br = bufio.NewReaderSize(t, readBuffer)
	return t, bufio.NewReadWriter(c.br, bufio.NewWriterSize(t, writeBuffer)), nil
}

const slowMessage = "message not complete within 5 s"

func (c *conn) gotPing(context.Context, []byte) bool {
	if !c.inMessage {
		c.between()
	}
	if c.pings == nil {
		c.pings = rate.NewLimiter(maxPings, maxPings)
	}
	if !c.pings.Allow() {
		c.close(closeMisuse, "too many pings")
		return false
	}
	return true
}

func (c *conn) gotPong(context.Context, []byte) {
	if !c.inMessage {
		c.between()
	}
}

// sweep checks how the peer is doing and pings it. The hub calls it for each
// connection every 250 ms, from one goroutine: no socket needs a timer.
func (c *conn) sweep(at time.Time) {
	if code, _ := c.ended(); code != 0 {
		return
	}
	now := at.Sub(c.f.began)
	if c.heard.Load() {
		c.heard.Store(false)
		c.lastHeard = now
	}
	switch m := c.current.Load(); {
	case m != c.seen:
		c.seen, c.since = m, now
	case m != 0 && now-c.since >= maxMessageTime:
		c.close(closeMisuse, slowMessage)
	}
	if now-c.lastHeard >= maxSilence {
		c.dropGone(closeLost, "silent", c.f.began.Add(c.lastHeard))
	}
	if now-c.pinged >= pingEvery {
		c.pinged = now
		c.offerControl(frame(opPing, nil))
	}
}
