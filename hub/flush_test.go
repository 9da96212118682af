package hub

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lectern-room/lectern/room/roomtest"
)

func TestOverflow(t *testing.T) {
	big := textFrame(make([]byte, 100<<10))
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		synctest.Wait() // until the handshake waits no more
		if !p.c.offer(textFrame(make([]byte, 1<<20)), true) {
			t.Error("a long frame alone is too much")
		}
		if p.c.offer(big, true) {
			t.Error("a frame beyond the bound was taken")
		}
		if !p.c.offerShared(big) {
			t.Error("a shared frame was refused")
		}
		p.expect(opText, string(make([]byte, 1<<20)))
		p.expect(opText, string(big[10:]))
		synctest.Wait()
		p.c.offer(textFrame(make([]byte, maxWaiting-10)), true)
		p.write(masked(0x89, []byte("still there?")))
		synctest.Wait()
		p.expect(opText, string(make([]byte, maxWaiting-10)))
		p.expect(0xa, "still there?")
		for range 3 {
			p.c.offer(big, false)
		}
		p.expectClose(4002)
		p.ended(4002)
	})
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		p.c.offer(big, false)
		p.br.Peek(1)
		for range 5 {
			p.c.offer(big, false)
		}
		_, _, waiting := p.c.f.traffic()
		if most := int64(len(big) + maxCloseReason); waiting > most {
			t.Errorf("%d bytes wait for a slow consumer", waiting)
		}
		roomtest.Proved(t, "%d bytes waited for who took nothing of %d", waiting, 6*len(big))
		p.expect(opText, string(big[10:]))
		p.expectClose(4002)
		p.ended(4002)
	})
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		from := time.Now()
		p.c.offer(textFrame(make([]byte, 10<<10)), true)
		time.Sleep(time.Second)
		p.br.Peek(1) // one buffer full, then no more
		p.ended(4002)
		took := time.Since(from)
		if took < 11*time.Second || took > 15*time.Second {
			t.Errorf("closed after %v", took)
		}
		roomtest.Proved(t, "who takes nothing any more is closed after %v (may be 15 s)", took)
	})
	synctest.Test(t, func(t *testing.T) { // slow, but not too slow
		p := pipes(t).connect().listen()
		p.c.offer(textFrame(make([]byte, 100)), true)
		for range 102 {
			time.Sleep(9 * time.Second)
			io.ReadFull(p.nc, make([]byte, 1))
			p.c.heard.Store(true)
		}
		if code, reason := p.c.ended(); code != 0 {
			t.Errorf("ended with %d %q", code, reason)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a closing socket gets no more time than that
		p := pipes(t).connect().listen()
		p.c.offer(textFrame(make([]byte, 100)), true)
		p.c.close(1012, "")
		from := time.Now()
		for range 20 {
			time.Sleep(time.Second)
			io.ReadFull(p.nc, make([]byte, 1))
		}
		p.ended(1012)
		if took := time.Since(from); took > 20*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestStoppedFlusherCutsSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pipes(t)
		stuck, late := n.connect().listen(), n.connect().listen()
		stuck.c.offer(textFrame([]byte("a")), true)
		synctest.Wait()
		n.stop()
		stuck.ended(closeGoingAway)
		late.c.offer(textFrame([]byte("a")), true)
		late.ended(closeGoingAway)
	})
}

// TestCrowdsGiveWay: who waits for an answer has it before everyone in a large
// room is told of something, also where that waits for the same socket, and one
// socket's frames stay in order. A crowd is told in the end.
func TestCrowdsGiveWay(t *testing.T) {
	f := newFlusher()
	everyone, told, asks := &conn{f: f}, &conn{f: f}, &conn{f: f}
	everyone.offerToCrowd([]byte("count"), true)
	told.offerToCrowd([]byte("count"), true)
	told.offer([]byte("joined"), false)
	asks.offer([]byte("joined"), false)
	for i, want := range []*conn{told, asks, everyone} {
		if c, crowd := f.next(t.Context()); c != want || crowd != (want == everyone) {
			t.Errorf("socket %d is another one", i)
		}
	}
	if waits := told.take(nil); len(waits) != 2 || string(waits[0].frame) != "count" {
		t.Errorf("%d frames wait, or in another order", len(waits))
	}
}

// TestCrowdsHaveTheirTurn: sockets that always wait for something of their own
// do not keep a crowd from being told.
func TestCrowdsHaveTheirTurn(t *testing.T) {
	f := newFlusher()
	f.push(&f.crowds, &conn{f: f})
	f.push(&f.own, &conn{f: f})
	for range crowdEvery {
		c, crowd := f.next(t.Context())
		if crowd {
			return
		}
		f.push(&f.own, c)
	}
	t.Errorf("%d others were served, and the crowd was not", crowdEvery)
}

func TestSlowReaderOverTCP(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // runs last
	n := loopback(t)
	n.f.slowAfter = time.Second
	slow, quick := n.connect().listen(), n.connect().listen()
	slow.nc.(*net.TCPConn).SetReadBuffer(4 << 10) // soon full
	frame := textFrame(make([]byte, 60<<10))
	sent := 0
	for from := time.Now(); ; sent++ {
		if code, _ := slow.c.ended(); code != 0 {
			break
		}
		if time.Since(from) > 30*time.Second {
			t.Fatal("still not closed")
		}
		slow.c.offer(frame, true)
		quick.c.offer(frame, false)
		quick.expect(opText, string(frame[4:]))
	}
	slow.ended(4002)
	if _, out, _ := n.f.traffic(); out < int64(sent*len(frame)) {
		t.Errorf("%d bytes out in %d frames", out, sent)
	}
	if !t.Failed() {
		roomtest.Proved(t, "over TCP, with %v for the slow one: closed after %d frames of 60 KiB, all of which its neighbour has", n.f.slowAfter, sent)
	}
}

// Frames of many senders, answers to pings and at last a close frame reach the
// peer whole, each sender's in order.
func TestOrder(t *testing.T) {
	for name, way := range map[string]func(testing.TB) *line{"pipe": pipes, "tcp": loopback} {
		t.Run(name, func(t *testing.T) {
			n := way(t)
			p := n.connect().listen()
			const senders, frames = 8, 2000
			var sending sync.WaitGroup
			for s := range senders {
				sending.Go(func() {
					for i := range frames {
						text := fmt.Appendf(nil, "%d %d %s", s, i, strings.Repeat("x", (s*i*131)%3000))
						for f := textFrame(text); !p.c.offer(f, true); {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			sending.Go(func() {
				for i := range maxPings {
					p.write(masked(0x89, fmt.Append(nil, i)))
				}
			})
			var pongs int
			var next [senders]int
			for range senders*frames + maxPings {
				op, payload, err := p.read()
				if err != nil {
					t.Fatal(err)
				}
				if op == 0xa {
					if string(payload) != fmt.Sprint(pongs) {
						t.Fatalf("pong %q, want %d", payload, pongs)
					}
					pongs++
					continue
				}
				var s, i int
				if _, err := fmt.Sscan(string(payload), &s, &i); err != nil || i != next[s] || len(strings.TrimRight(string(payload), "x")) > 8 {
					t.Fatalf("%.20q, %v; want frame %d", payload, err, next[s])
				}
				next[s]++
			}
			sending.Wait()
			p.c.close(1000, "")
			p.expectClose(1000)
			p.ended(1000)
		})
	}
}
