package hub

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUpgradeSelectsSubprotocol(t *testing.T) {
	for offered, want := range map[string]string{
		"":                               "",
		"other":                          "",
		"lectern.v1":                     "lectern.v1",
		"passport.p, LECTERN.V1, room.r": "lectern.v1",
		"lectern.v1\r\nSec-WebSocket-Protocol: passport.secret": "lectern.v1",
	} {
		synctest.Test(t, func(t *testing.T) {
			n := pipes(t)
			nc := n.dial()
			request := handshakeRequest
			if offered != "" {
				request += "Sec-WebSocket-Protocol: " + offered + "\r\n"
			}
			go io.WriteString(nc, request+"\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			c := <-n.conns
			if got := resp.Header.Get("Sec-WebSocket-Protocol"); !strings.EqualFold(got, want) {
				t.Errorf("offered %q, selected %q", offered, got)
			}
			if got := c.ws.Subprotocol(); got != want {
				t.Errorf("offered %q, kept %q", offered, got)
			}
			nc.Close()
			c.serve(nil)
		})
	}
}

func TestUpgradeRefusesOtherRequests(t *testing.T) {
	w := &plainWriter{header: http.Header{}}
	r, err := http.NewRequest("GET", "/v1/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := upgrade(w, r, newFlusher()); err == nil || w.status != http.StatusUpgradeRequired {
		t.Errorf("status %d, %v", w.status, err)
	}
}

type plainWriter struct {
	header http.Header
	status int
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *plainWriter) WriteHeader(status int)      { w.status = status }

func TestMessagesSentWithTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early := append(masked(0x81, []byte("one")), masked(0x81, []byte("two"))...)
		half := len(early) - 2
		p := pipes(t).connect(early[:half]...).listen()
		p.write(early[half:])
		if a, b := <-p.got, <-p.got; a != "one" || b != "two" {
			t.Errorf("got %q, %q", a, b)
		}
	})
}

func TestTimes(t *testing.T) {
	text := masked(0x81, []byte("hello"))
	pong := masked(0x8a, nil)
	for name, c := range map[string]struct {
		act   func(p *peer)
		code  int
		after time.Duration // since act returned
	}{
		"one byte":               {func(p *peer) { p.write(text[:1]) }, 1008, maxMessageTime},
		"no payload":             {func(p *peer) { p.write(text[:6]) }, 1008, maxMessageTime},
		"not the last byte":      {func(p *peer) { p.write(text[:len(text)-1]) }, 1008, maxMessageTime},
		"half a control frame":   {func(p *peer) { p.write(masked(0x8a, []byte("a"))[:6]) }, 1008, maxMessageTime},
		"one byte after a pong":  {func(p *peer) { p.write(append(pong, text[0])) }, 1008, maxMessageTime},
		"one byte after a text":  {func(p *peer) { p.write(append(text, text[0])) }, 1008, maxMessageTime},
		"silent":                 {func(p *peer) {}, closeLost, maxSilence},
		"silent after a message": {func(p *peer) { p.write(text) }, closeLost, maxSilence},
		"silent after a pong":    {func(p *peer) { p.write(pong) }, closeLost, maxSilence},
		"byte by byte": {func(p *peer) {
			for _, b := range text {
				time.Sleep(700 * time.Millisecond) // 11 bytes take 7.7 s
				if code, _ := p.c.ended(); code != 0 {
					return
				}
				p.write([]byte{b})
			}
		}, 1008, 0},
		"just in time": {func(p *peer) {
			p.write(text[:1])
			time.Sleep(maxMessageTime - time.Second)
			p.write(text[1:])
		}, closeLost, maxSilence},
		"endless fragments": {func(p *peer) {
			p.write(masked(0x01, nil))
			for i := range 13 {
				time.Sleep(400 * time.Millisecond)
				if code, _ := p.c.ended(); code != 0 {
					return
				}
				p.write([][]byte{masked(0x00, []byte("a")), masked(0x89, nil), pong}[i%3])
			}
		}, 1008, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipes(t).connect().listen()
				go io.Copy(io.Discard, p.br)
				c.act(p)
				from := time.Now()
				for code, _ := p.c.ended(); code == 0; code, _ = p.c.ended() {
					time.Sleep(10 * time.Millisecond)
				}
				if took := time.Since(from); took < c.after || took > c.after+600*time.Millisecond {
					t.Errorf("after %v, want %v", took, c.after)
				}
				p.ended(c.code)
			})
		})
	}
}

func TestMessageInHandOwesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect()
		p.serve(func(b []byte) {
			time.Sleep(3 * maxMessageTime)
			p.got <- string(b)
		})
		go io.Copy(io.Discard, p.br)
		text := masked(0x81, []byte("a"))
		p.write(append(text, text[0]))
		<-p.got
		p.write(text[1:])
		<-p.got
		if code, reason := p.c.ended(); code != 0 {
			t.Errorf("ended with %d %q", code, reason)
		}
	})
}

func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		from := time.Now()
		for i := 1; i <= 5; i++ {
			p.expect(opPing, "")
			if at := time.Since(from); at < time.Duration(i)*pingEvery || at > time.Duration(i)*(pingEvery+250*time.Millisecond) {
				t.Errorf("ping %d after %v", i, at)
			}
			p.write(masked(0x8a, nil))
		}
		for i := range 20 {
			p.write(masked(0x89, fmt.Append(nil, i)))
			p.expect(0xa, fmt.Sprint(i))
			time.Sleep(time.Second / maxPings)
		}
		if code, reason := p.c.ended(); code != 0 {
			t.Errorf("ended with %d %q", code, reason)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		p.c.offer(textFrame([]byte("a")), true)
		p.c.offerShared(textFrame([]byte("b")))
		p.c.close(1012, strings.Repeat("한", 50))
		p.c.close(1000, "second")
		if p.c.offer(textFrame([]byte("c")), true) || p.c.offerShared(nil) {
			t.Error("offered after close")
		}
		p.expect(opText, "a")
		p.expect(opText, "b")
		p.expect(opClose, "\x03\xf4"+strings.Repeat("한", 41))
		from := time.Now()
		p.write(masked(0x81, []byte("too late")))
		p.write(masked(0x88, []byte{0x03, 0xf4}))
		p.ended(1012)
		if took := time.Since(from); took != 0 {
			t.Errorf("closed %v after the answer", took)
		}
		if len(p.got) > 0 {
			t.Errorf("handed over %q", <-p.got)
		}
	})
}

func TestCloseDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		from := time.Now()
		p.c.close(4001, "passport expired")
		p.expectClose(4001)
		p.ended(4001)
		if took := time.Since(from); took != closeWait {
			t.Errorf("waited %v for an answer", took)
		}
	})
}

func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		for range 3 {
			p.c.offer(textFrame([]byte("a")), true)
		}
		p.c.drop(closeLost, "gone")
		p.c.close(1000, "second")
		p.ended(closeLost)
		if _, _, err := p.read(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func TestPeerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes(t).connect().listen()
		p.nc.Close()
		p.c.offer(textFrame([]byte("a")), true)
		p.ended(closeLost)
		if _, _, waiting := p.c.f.traffic(); waiting != 0 {
			t.Errorf("%d bytes still wait", waiting)
		}
	})
}

// A peer that is still sending when it is closed gets the close frame and a
// clean end, not a reset.
func TestCloseCodeArrivesOverTCP(t *testing.T) {
	p := loopback(t).connect().listen()
	sent := make(chan error, 1)
	go func() {
		_, err := p.nc.Write(masked(0x81, make([]byte, 8<<20)))
		sent <- err
	}()
	p.expectClose(1009)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	p.nc.Close()
	p.ended(1009)
}
