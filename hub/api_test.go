package hub

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func TestBodiesAreJSON(t *testing.T) {
	s := newSchool(t)
	const body = `{"title":"Algebra","capacity":2}`
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ";", ""} {
		s.refused("bad_request", "Content-Type", "POST", "/v1/rooms", body, with(s.teacher(), "Content-Type", media))
		s.refused("bad_request", "Content-Type", "POST", "/v1/rooms/01/close", body, with(s.teacher(), "Content-Type", media))
		s.refused("bad_request", "Content-Type", "POST", "/v1/guest", `{"name":"Kim"}`, http.Header{"Content-Type": {media}})
	}
	s.refused("bad_request", "Content-Type", "POST", "/v1/rooms", "", s.teacher())
	s.must(http.StatusCreated, "POST", "/v1/rooms", body, with(s.teacher(), "Content-Type", "application/json; charset=utf-8"))
}

// A client that never sends the body it has announced is not waited for, also
// where the body is not asked for.
func TestBodyTakesTooLong(t *testing.T) {
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"half a body":     {"POST /v1/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"name\":", http.StatusBadRequest},
		"no passport":     {"POST /v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", http.StatusUnauthorized},
		"bad host":        {"POST /v1/rooms HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\n", http.StatusForbidden},
		"no such call":    {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", http.StatusNotFound},
		"GET with a body": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			inClass(t, func(t *testing.T, c *class) {
				ours, theirs := net.Pipe()
				defer ours.Close()
				c.pipes.conns <- theirs
				began := time.Now()
				go fmt.Fprint(ours, test.request)
				in := bufio.NewReader(ours)
				got, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, got.Body)
				if _, err := in.ReadByte(); err != io.EOF {
					t.Errorf("not closed: %v", err)
				}
				if took := time.Since(began); got.StatusCode != test.status || took < bodyTakesAtMost || took > bodyTakesAtMost+time.Second {
					t.Errorf("%d after %v", got.StatusCode, took)
				}
			})
		})
	}
}

// A body that comes in time leaves the connection as it was.
func TestBodyTakesItsTime(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		c.pipes.conns <- theirs
		in := bufio.NewReader(ours)
		for range 3 {
			go func() {
				fmt.Fprint(ours, "POST /v1/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"name\":")
				time.Sleep(bodyTakesAtMost - time.Second)
				fmt.Fprint(ours, `"Kim"}`)
			}()
			got, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, got.Body)
			if got.StatusCode != http.StatusOK {
				t.Errorf("status %d", got.StatusCode)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestUnauthorized(t *testing.T) {
	s := newSchool(t)
	other := newSchool(t)
	expired, err := s.hub.Keys.Seal(room.Passport{
		Caller: room.Caller{User: "s1", Name: "s1", Role: room.Student}, ExpiresAt: time.Now().Add(-time.Second),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, headers := range []http.Header{
		nil, {"Authorization": {"Bearer x"}}, {"Authorization": {"Bearer " + expired}}, {"X-User-Id": {""}}, {"Authorization": {"Basic x"}}, other.teacher(),
	} {
		for _, call := range []string{"GET /v1/me", "GET /v1/rooms", "GET /v1/rooms/x", "POST /v1/rooms/x/close", "DELETE /v1/rooms/x/members/y", "GET /v1/socket"} {
			method, path, _ := strings.Cut(call, " ")
			if path == "/v1/socket" {
				headers = handshakeOf(headers)
			}
			got := s.refused("unauthorized", "", method, path, "", headers)
			if got.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			bodies = append(bodies, got.text)
		}
	}
	slices.Sort(bodies)
	if bodies = slices.Compact(bodies); len(bodies) != 1 {
		t.Errorf("answers that tell what was wrong: %v", bodies)
	}
	twice := s.teacher()
	twice["Authorization"] = append(twice["Authorization"], twice["Authorization"][0])
	s.refused("bad_request", "passport", "GET", "/v1/me", "", twice)
	if got := s.must(http.StatusOK, "GET", "/v1/me", "", http.Header{"X-User-Id": {s.teacher().Get("Authorization")[len("Bearer "):]}}); got.body["user"] != "t1" {
		t.Errorf("by a gateway: %s", got.text)
	}
}

func TestHostAndOriginComeFirst(t *testing.T) {
	s := newSchool(t)
	s.must(http.StatusOK, "GET", "/v1/me", "", with(s.teacher(), "Origin", "http://localhost:8080"))
	for _, call := range []string{"GET /v1/me", "POST /v1/guest", "GET /v1/socket", "GET /openapi.json", "GET /nowhere"} {
		method, path, _ := strings.Cut(call, " ")
		s.refused("forbidden", "origin", method, path, "", with(s.teacher(), "Origin", "https://evil.example"))
		s.refused("forbidden", "origin", method, path, "", with(nil, "Origin", "null"))
		s.refused("forbidden", "host", method, path, "", with(s.teacher(), "Host", "evil.example"))
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		s.must(http.StatusOK, "GET", probe, "", http.Header{"Host": {"10.0.0.7:8080"}, "Origin": {"null"}})
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSchool(t)
	for _, path := range []string{"/v1/me", "/v1/rooms", "/v1/nothing", "/openapi.json", "/healthz"} {
		h := s.call("GET", path, "", s.teacher()).Header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestNoSuchCall(t *testing.T) {
	s := newSchool(t)
	for _, path := range []string{"/v1/nothing", "/v1/rooms/", "/v1/rooms/x/y", "/v1/", "/v1//nothing", "/"} {
		got := s.refused("not_found", "", "GET", path, "", s.teacher())
		if got.Header.Get("Location") != "" || got.Header.Get("Allow") != "" {
			t.Errorf("%s: %v", path, got.Header)
		}
	}
	for call, allowed := range map[string]string{
		"PUT /v1/rooms": "GET, HEAD, POST", "DELETE /v1/me": "GET, HEAD", "GET /v1/attend": "POST", "OPTIONS /v1/guest": "POST", "POST /v1/rooms/x": "GET, HEAD, PATCH",
	} {
		method, path, _ := strings.Cut(call, " ")
		got := s.refused("bad_request", "method", method, path, "", s.teacher())
		if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != allowed {
			t.Errorf("%s: %d, Allow %q, want %q", call, got.StatusCode, got.Header.Get("Allow"), allowed)
		}
	}
	if got := s.must(http.StatusOK, "HEAD", "/v1/me", "", s.teacher()); got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %v", got.Header)
	}
}

// handshakeOf returns headers with those that open a WebSocket.
func handshakeOf(h http.Header) http.Header {
	for name, value := range map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		h = with(h, name, value)
	}
	return h
}

func TestNoHandshake(t *testing.T) {
	s := newSchool(t)
	whole := handshakeOf(s.student("s1"))
	for name, bad := range map[string][]string{
		"Connection":            {"", "keep-alive", "upgrades"},
		"Upgrade":               {"", "h2c"},
		"Sec-WebSocket-Version": {"", "8", "14"},
		"Sec-WebSocket-Key":     {"", "dGhlIHNhbXBsZSBub25jZQ", "eA==", "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25jZS4u", "dGhlIHNhbXBsZSBub25jZQ!="},
	} {
		for _, value := range bad {
			got := s.refused("bad_request", name, "GET", "/v1/socket", "", with(whole, name, value))
			if got.Header.Get("Upgrade") != "websocket" || got.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("%s %q: %v", name, value, got.Header)
			}
		}
	}
	twice := whole.Clone()
	twice.Add("Sec-WebSocket-Key", whole.Get("Sec-WebSocket-Key"))
	s.refused("bad_request", "Sec-WebSocket-Key", "GET", "/v1/socket", "", twice)
	s.refused("bad_request", "method", "HEAD", "/v1/socket", "", whole)
	s.refused("unauthorized", "", "GET", "/v1/socket", "", nil)
	if got := samples(t, s.metrics)["connections_total{result=failed}"]; got != 16 {
		t.Errorf("%v attempts are counted", got)
	}
}

// A socket is upgraded through all that is around the handler.
func TestSocketUpgrade(t *testing.T) {
	s := newSchool(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.hub.Run(ctx, time.Second) })
	defer running.Wait()
	defer stop()
	r, err := http.NewRequest("GET", server.URL+"/v1/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = handshakeOf(s.student("s1"))
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d", got.StatusCode)
	}
}
