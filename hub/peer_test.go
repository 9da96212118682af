package hub

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A pipeListener hands out the server's ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// A line is a server that upgrades whatever comes, and the way to it.
type line struct {
	t     testing.TB
	f     *flusher
	addr  net.Addr
	dial  func() net.Conn
	conns chan *conn
	stop  func()
}

func newLine(t testing.TB, l net.Listener, dial func() net.Conn) *line {
	ctx, cancel := context.WithCancel(t.Context())
	n := &line{t: t, f: newFlusher(), addr: l.Addr(), dial: dial, conns: make(chan *conn)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrade(w, r, n.f)
		if err != nil {
			t.Error(err)
		}
		n.conns <- c
	})}
	var parts sync.WaitGroup
	parts.Go(func() { server.Serve(l) })
	parts.Go(func() { n.f.run(ctx) })
	n.stop = sync.OnceFunc(func() {
		server.Close()
		cancel()
		parts.Wait()
	})
	t.Cleanup(n.stop)
	return n
}

func pipes(t testing.TB) *line {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return newLine(t, l, func() net.Conn {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		return ours
	})
}

func loopback(t testing.TB) *line {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newLine(t, l, func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

// A peer is a client made by hand, with the connection it talks to.
type peer struct {
	t    testing.TB
	nc   net.Conn
	br   *bufio.Reader
	c    *conn
	got  chan string   // messages that c handed over
	over chan struct{} // closed when serve has returned
}

const handshakeRequest = "GET /v1/socket HTTP/1.1\r\nHost: lectern\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// connect shakes hands and serves the connection; early goes out with the handshake.
func (n *line) connect(early ...byte) *peer {
	n.t.Helper()
	nc := n.dial()
	sent := make(chan error, 1)
	go func() {
		_, err := nc.Write(append([]byte(handshakeRequest+"\r\n"), early...))
		sent <- err
	}()
	p := &peer{t: n.t, nc: nc, br: bufio.NewReader(nc), got: make(chan string, 100), over: make(chan struct{})}
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		n.t.Fatalf("handshake: %v, %v", resp, err)
	}
	if err := <-sent; err != nil {
		n.t.Fatal(err)
	}
	p.c = <-n.conns
	n.t.Cleanup(func() { nc.Close() })
	return p
}

// serve serves the connection and sweeps it as the hub does, until the test ends.
func (p *peer) serve(message func([]byte)) *peer {
	var served sync.WaitGroup
	served.Go(func() {
		defer close(p.over)
		p.c.serve(message)
	})
	served.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.over:
				return
			case now := <-tick.C:
				p.c.sweep(now)
			}
		}
	})
	p.t.Cleanup(func() {
		p.nc.Close()
		served.Wait()
	})
	return p
}

func (p *peer) listen() *peer { return p.serve(func(b []byte) { p.got <- string(b) }) }

// masked makes a frame as clients send it: first is FIN, RSV and opcode.
func masked(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, key[:]...)
	for i, x := range payload {
		b = append(b, x^key[i%4])
	}
	return b
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// read returns the next frame from the server. Frames from a server are whole
// and not masked.
func (p *peer) read() (opcode byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(p.br, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("header % x", head[:2])
	}
	n := int(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(p.br, head[2:4])
		n = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(p.br, head[2:10])
		n = int(binary.BigEndian.Uint64(head[2:]))
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.br, payload)
	return head[0] & 0xf, payload, err
}

// expect reads one frame, not counting the server's pings.
func (p *peer) expect(opcode byte, payload string) {
	p.t.Helper()
	op, got, err := p.read()
	for err == nil && op == opPing && opcode != opPing {
		op, got, err = p.read()
	}
	if err != nil || op != opcode || string(got) != payload {
		p.t.Fatalf("got opcode %x %.60q, %v; want %x %.60q", op, got, err, opcode, payload)
	}
}

// expectClose reads up to the close frame and the end of the connection behind it.
func (p *peer) expectClose(code int) {
	p.t.Helper()
	for {
		op, payload, err := p.read()
		if err != nil {
			p.t.Fatalf("no close frame: %v", err)
		}
		if op != opClose {
			continue
		}
		if got, reason := parseClose(payload); got != code {
			p.t.Fatalf("closed with %d %q, want %d", got, reason, code)
		}
		break
	}
	if op, payload, err := p.read(); err == nil {
		p.t.Fatalf("opcode %x %.60q after the close frame", op, payload)
	}
}

// ended waits for the end of serve and checks the cause.
func (p *peer) ended(code int) {
	p.t.Helper()
	<-p.over
	if got, reason := p.c.ended(); got != code {
		p.t.Fatalf("ended with %d %q, want %d", got, reason, code)
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.queued != 0 || p.c.counted != 0 || len(p.c.pending) != 0 {
		p.t.Fatalf("%d bytes still wait, %d of them counted", p.c.queued, p.c.counted)
	}
}
