package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

// echo is a server that hands each upgraded connection to talk.
func echo(t *testing.T, talk func(ctx context.Context, c *websocket.Conn) error) *url.URL {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"code":"unauthorized"}`))
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"lectern.v1"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if err := talk(r.Context(), c); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// alone returns a clientele of one, who is to connect to the server.
func alone(t *testing.T, server *url.URL, passport string) (*clientele, *visitor) {
	t.Helper()
	c, err := newClientele([]*loadTarget{{url: server}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	v := &visitor{handshake: c.upgrade.request(server.Host, passport)}
	c.visitors = append(c.visitors, v)
	c.hooks = &hooks{ended: func(v *visitor, err error) { v.err = err }}
	return c, v
}

// padded is a message of a size.
func padded(size int) []byte {
	return fmt.Appendf(nil, `{"type":"room_changed","title":"%s"}`, strings.Repeat("x", size))
}

// TestClientele has a server send messages of all lengths, whole and in
// fragments, to one who answers its ping.
func TestClientele(t *testing.T) {
	sizes := []int{0, 50, 88, 89, 90, 5000, 65498, 65499, 65500, 300_000, 0}
	server := echo(t, func(ctx context.Context, c *websocket.Conn) error {
		for _, size := range sizes {
			if err := c.Write(ctx, websocket.MessageText, padded(size)); err != nil {
				return err
			}
		}
		w, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(padded(30_000), 10_000) { // each more than the library's buffer, so each a frame
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		reading := c.CloseRead(ctx) // takes the pong
		if err := c.Ping(ctx); err != nil {
			return err
		}
		c.Close(4002, "slow")
		<-reading.Done()
		return nil
	})
	c, v := alone(t, server, "good")
	var heard []int
	c.changed = func(_ *visitor, message []byte, _ time.Time) {
		heard = append(heard, len(textField(message, `"title":"`)))
	}
	c.dial(v)
	if err := c.until(t.Context(), func() bool { return v.err != nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(heard), fmt.Sprint(append(sizes, 30_000)); got != want {
		t.Errorf("heard messages of %s, not %s", got, want)
	}
	var closed *closedSocket
	if !errors.As(v.err, &closed) || closed.code != 4002 || closed.reason != "slow" {
		t.Errorf("the close frame was read as %v", v.err)
	}
}

func TestRefusedUpgrade(t *testing.T) {
	c, v := alone(t, echo(t, nil), "bad")
	c.dial(v)
	if err := c.until(t.Context(), func() bool { return v.err != nil }); err != nil {
		t.Fatal(err)
	}
	var refused *refusedUpgrade
	if !errors.As(v.err, &refused) || refused.status != http.StatusUnauthorized {
		t.Errorf("a refused upgrade was read as %v", v.err)
	}
}

// TestNobodyThere dials where nobody listens.
func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(nil)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	c, v := alone(t, address, "good")
	c.dial(v)
	if err := c.until(t.Context(), func() bool { return v.err != nil }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(v.err.Error(), "refused") {
		t.Errorf("ended with %v", v.err)
	}
}

// TestPartialReads hands over what a server says in pieces of every size.
func TestPartialReads(t *testing.T) {
	u := newUpgrade()
	said := []byte("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + u.accept + "\r\n\r\n")
	said = append(said, "\x81\x10{\"type\":\"hello\"}"...)
	said = append(said, "\x01\x05{\"typ\x00\x0ce\":\"joined\",\x89\x00\x80\x0a\"seat\":17}"...)
	said = append(append(said, "\x81\x7e\x01\x2c"...), padded(300-len(padded(0)))...)
	for size := 1; size <= len(said); size++ {
		c := &clientele{hooks: &hooks{}, upgrade: u}
		v := &visitor{fd: -1, unsent: []byte("so that a pong waits")}
		for part := range slices.Chunk(said, size) {
			c.take(v, bytes.Clone(part), time.Now())
		}
		if v.seat != 17 || c.heard[kindHello] != 1 || c.heard[kindJoined] != 1 || c.heard[kindChanged] != 1 || len(v.rest) != 0 || len(v.unsent) <= 20 {
			t.Fatalf("in pieces of %d: %v, seat %d, %d behind", size, c.heard, v.seat, len(v.rest))
		}
	}
}

func TestCutFrameRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"masked": "\x81\x81\x00\x00\x00\x00a", "compressed": "\xc1\x01a",
		"too long": "\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x01",
	} {
		if _, _, whole, err := cutFrame([]byte(data)); err == nil || whole {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestUpgradeAnswered(t *testing.T) {
	u := newUpgrade()
	good := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + u.accept + "\r\n\r\n"
	for name, test := range map[string]struct {
		text  string
		whole bool
		bad   string
	}{
		"good":        {good + "rest", true, ""},
		"a part":      {good[:60], false, ""},
		"another":     {strings.Replace(good, u.accept, "AAAA", 1), true, "Sec-WebSocket-Accept"},
		"refused":     {"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"code\":\"unavailable\"}", true, "503 unavailable"},
		"no end":      {strings.Repeat("x", maxUpgradeAnswer+1), false, "no end"},
		"not HTTP":    {"SSH-2.0-OpenSSH\r\n\r\n", true, "0"},
		"only spaces": {"   \r\n\r\n", true, "0"},
	} {
		behind, whole, err := u.answered([]byte(test.text))
		if (err != nil) != (test.bad != "") || err == nil && whole != test.whole || err != nil && !strings.Contains(err.Error(), test.bad) {
			t.Errorf("%s: %v, %v", name, whole, err)
		}
		if name == "good" && string(behind) != "rest" {
			t.Errorf("behind it is %q", behind)
		}
	}
}

func TestFields(t *testing.T) {
	message := []byte(`{"id":1,"type":"joined","room":{"title":"a \"seat\":9 \"type\":\"x\"","version":41},"seat":17,"already":false}`)
	if k := kindOf(message); k != kindJoined {
		t.Errorf("it is a %s", kindNames[k])
	}
	if seat, version := numberField(message, `"seat":`), numberField(message, `"version":`); seat != 17 || version != 41 {
		t.Errorf("seat %d, version %d", seat, version)
	}
	if numberField(message, `"none":`) != 0 || textField(message, `"none":"`) != nil || kindOf([]byte("{")) != kindOther {
		t.Error("something was found that is not there")
	}
}

func TestFollow(t *testing.T) {
	f := newFollow(&lesson{id: "r"}, true)
	hear := func(text string) bool {
		message := []byte(text)
		return f.hear(kindOf(message), message, time.Now())
	}
	ann, bob := `{"user":"ann","state":"seated","seat":1}`, `{"user":"bob","state":"seated","seat":2}`
	for _, text := range []string{
		`{"id":2,"type":"watching","room":{"version":5},"version":5,"roster":[` + ann + `],"more":true}`,
		`{"type":"roster_page","room_id":"r","version":5,"roster":[],"more":false}`,
		`{"type":"roster","room_id":"r","from":4,"version":5,"joined":[` + bob + `]}`,
		`{"type":"roster","room_id":"r","from":5,"version":6,"joined":[` + bob + `]}`,
	} {
		if hear(text) {
			t.Errorf("a gap before %s", text)
		}
	}
	if !hear(`{"type":"roster","room_id":"r","from":8,"version":9,"joined":[]}`) || f.version != 6 || f.gaps != 1 {
		t.Errorf("a gap was not noticed: at version %d", f.version)
	}
	if hear(`{"id":2,"type":"watching","room":{"version":9},"version":9,"deltas":[{"type":"roster","from":6,"version":9,"left":[{"user":"ann"}]}]}`) {
		t.Error("deltas leave a gap")
	}
	if err := f.settle(); err != nil {
		t.Fatal(err)
	}
	if differs := f.roster.differs([]seatEntry{{User: "bob", State: room.Seated, Seat: 2}}, 9); differs != "" || len(f.first) != 2 {
		t.Errorf("%s; seen were %v", differs, f.first)
	}
}

// TestTurns has people begin two at a time, and so many a second.
func TestTurns(t *testing.T) {
	for _, test := range []struct {
		inFlight int
		rate     float64
		least    time.Duration
	}{{2, 0, 0}, {0, 500, 18 * time.Millisecond}} {
		b := &bench{clientele: &clientele{}, stderr: &strings.Builder{}}
		poll, err := newPoller()
		if err != nil {
			t.Fatal(err)
		}
		b.poll = poll
		defer poll.close()
		turns := &turns{inFlight: test.inFlight, rate: test.rate}
		now, most := 0, 0
		turns.begin = func(v *visitor) {
			now++
			most = max(most, now)
			b.after(0, func() {
				now--
				turns.done(v)
				turns.done(v)
			})
		}
		for range 10 {
			turns.people = append(turns.people, &visitor{})
		}
		began := time.Now()
		if err := b.everyone(t.Context(), "done", turns); err != nil {
			t.Fatal(err)
		}
		if turns.over != 10 || test.inFlight > 0 && most > test.inFlight || time.Since(began) < test.least {
			t.Errorf("%+v: %d done, %d at a time, in %v", test, turns.over, most, time.Since(began))
		}
	}
}
