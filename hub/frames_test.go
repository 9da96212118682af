package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room/roomtest"
)

// A frameCase is what a peer sends, and all that it then hears: texts, which
// this server says back, and pongs. The last word is how it ends: "answers"
// with the code and reason of the answer to the peer's own close frame, or
// "closes" with the code for which the server closes. Without one of these the
// connection lives on.
type frameCase struct {
	name string
	in   []byte
	want []string
}

// rfc6455 is every case: see the functions, which are named for their part of
// the RFC.
func rfc6455() []frameCase {
	return slices.Concat(lengthCases(), reservedBitCases(), opcodeCases(), maskCases(),
		fragmentCases(), textCases(), badTextCases(), closeCases(), pingCases(), pipelineCases())
}

// shortEnough bounds what is sent byte by byte.
const shortEnough = 700

func (c frameCase) deliveries() map[string]func(io.Writer) {
	ways := map[string]func(io.Writer){"at once": func(w io.Writer) { w.Write(c.in) }}
	if len(c.in) <= shortEnough {
		ways["byte by byte"] = func(w io.Writer) {
			for i := range c.in {
				w.Write(c.in[i : i+1])
			}
		}
	}
	return ways
}

// TestFrames: every sequence of frames has the exact outcome that RFC 6455 and
// the limits give it, however it arrives, and the socket next to it notices
// nothing.
func TestFrames(t *testing.T) {
	cases := rfc6455()
	if len(cases) < 120 {
		t.Errorf("%d cases are too few", len(cases))
	}
	deliveries := 0
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for way, deliver := range c.deliveries() {
				deliveries++
				synctest.Test(t, func(t *testing.T) { c.checkBeside(pipes(t), way, deliver) })
			}
		})
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d cases, delivered %d times, at once and the shorter ones byte by byte too, each had its exact outcome, and 0 neighbours noticed", len(cases), deliveries)
	}
}

// TestFramesOverTCP is TestFrames in real time, where the kernel says what
// there is to read. All cases are of one server.
func TestFramesOverTCP(t *testing.T) {
	n, cases := loopback(t), rfc6455()
	for _, c := range cases {
		for way, deliver := range c.deliveries() {
			c.checkBeside(n, way, deliver)
		}
	}
	if !t.Failed() {
		roomtest.Proved(t, "the same %d cases over TCP", len(cases))
	}
}

// TestCutFrames: a peer that is gone in the middle of anything is gone, and
// only its whole messages were handed over. (No ping: its answer would find out
// that the peer is gone.)
func TestCutFrames(t *testing.T) {
	var in []byte
	ends := map[int]bool{} // of messages, in in
	for _, frame := range [][]byte{
		said("one"), masked(fin|0xa, []byte("pong")), masked(1, []byte("tw")), masked(fin|0xa, nil), masked(0, nil), masked(fin, []byte("o")),
		declared(fin|1, 8, 5, "three"), masked(fin|2, nil)[:1],
	} {
		in = append(in, frame...)
		ends[len(in)] = frame[0] == fin|1 || frame[0] == fin
	}
	messages := 0
	for cut := range len(in) {
		if ends[cut] {
			messages++
		}
		synctest.Test(t, func(t *testing.T) {
			p := pipes(t).connect().listen()
			go io.Copy(io.Discard, p.br)
			p.write(in[:cut])
			p.nc.Close()
			p.ended(closeLost)
			if len(p.got) != messages {
				t.Errorf("of the first %d bytes %d messages were handed over, want %d", cut, len(p.got), messages)
			}
		})
	}
}

// checkBeside plays the case while a neighbour is in the middle of a message
// and of a frame.
func (c frameCase) checkBeside(n *line, way string, deliver func(io.Writer)) {
	n.t.Helper()
	neighbour := n.connect().listen()
	message := slices.Concat(masked(0x01, []byte("good ")), masked(0x80, []byte("morning")))
	neighbour.write(message[:len(message)-3])
	if got := c.play(n.connect(), deliver); !slices.Equal(got, c.want) {
		n.t.Errorf("%s, %s: heard %.80q, want %.80q", c.name, way, got, c.want)
	}
	neighbour.write(message[len(message)-3:])
	if got := <-neighbour.got; got != "good morning" {
		n.t.Errorf("%s: the neighbour was understood as %q", c.name, got)
	}
	neighbour.c.offer(textFrame([]byte("news")), false)
	neighbour.expect(opText, "news")
	neighbour.write(masked(0x88, []byte{0x03, 0xe8}))
	neighbour.expectClose(1000)
	neighbour.ended(1000)
}

// last is what a peer says whose connection should live.
const last = "still here"

// play sends the case and returns what is heard.
func (c frameCase) play(p *peer, deliver func(io.Writer)) (heard []string) {
	p.serve(func(b []byte) { p.c.offer(textFrame(bytes.Clone(b)), false) })
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		deliver(p.nc)
		p.nc.Write(masked(0x81, []byte(last)))
	}()
	defer func() {
		p.nc.Close()
		<-sent
		<-p.over
	}()
	for {
		op, payload, err := p.read()
		switch {
		case err != nil:
			return append(heard, err.Error())
		case op == opText && string(payload) == last:
			return heard
		case op == opText:
			heard = append(heard, "text "+string(payload))
		case op == opPong:
			heard = append(heard, "pong "+string(payload))
		case op == opClose:
			return append(heard, p.hearTheEnd(parseClose(payload)))
		default:
			return append(heard, fmt.Sprintf("opcode %x %s", op, payload))
		}
	}
}

// hearTheEnd returns who closed the connection, and why. Whoever has answered
// a close frame ends the connection at once; who has sent one first waits for
// the answer, which here does not come.
func (p *peer) hearTheEnd(code int, reason string) string {
	from := time.Now()
	if op, more, err := p.read(); !errors.Is(err, io.EOF) {
		p.t.Errorf("after the close frame: opcode %x %.60q, %v", op, more, err)
	}
	waited := time.Since(from)
	_, overTCP := p.nc.(*net.TCPConn)
	if overTCP {
		p.nc.Close() // it heard that the server ends, which waits for the same
	}
	p.ended(code)
	answered := websocket.CloseStatus(p.c.err) != -1
	if wait := map[bool]time.Duration{false: closeWait}[answered]; !overTCP && waited != wait {
		p.t.Errorf("the connection ended %v after the close frame, want %v", waited, wait)
	}
	if answered {
		return fmt.Sprint("answers ", code, " ", reason)
	}
	return fmt.Sprint("closes ", code)
}

// opPong is the answer to a ping.
const opPong = 0xa
