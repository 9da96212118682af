package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A served instance runs in this process until stop is called.
type served struct {
	address, ops string
	passport     string // an instructor's, if a newcomer was given one
	stdout, log  *lockedBuffer
	stop         func() error
}

// begin starts an instance and returns once it listens.
func begin(t *testing.T, environ ...string) *served {
	t.Helper()
	environ = append([]string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json"}, environ...)
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{stdout: &lockedBuffer{}, log: &lockedBuffer{}}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve"}, environ, strings.NewReader(""), s.stdout, s.log)
		close(ended)
	}()
	s.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return context.DeadlineExceeded
		}
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("the instance ended with: %v\n%s", err, s.log)
		}
	})
	eventually(t, func() string {
		select {
		case err := <-ended:
			t.Fatalf("the instance ended with: %v\n%s", err, s.log)
		default:
		}
		for line := range strings.Lines(s.log.String()) {
			var said struct{ Msg, Address, Ops string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "listening" {
				s.address, s.ops = said.Address, said.Ops
			}
		}
		if s.address == "" {
			return "it does not listen:\n" + s.log.String()
		}
		return ""
	})
	return s
}

// serve starts an instance and reads what it tells a newcomer.
func serve(t *testing.T, environ ...string) *served {
	t.Helper()
	s := begin(t, environ...)
	eventually(t, func() string {
		if !strings.Contains(s.stdout.String(), "\nData: ") {
			return "the newcomer is told nothing:\n" + s.log.String()
		}
		return ""
	})
	lines := strings.Split(s.stdout.String(), "\n")
	if len(lines) != 4 || lines[0] != "Lectern:    "+s.address {
		t.Fatalf("printed %q, and listens on %s", lines, s.address)
	}
	var found bool
	if s.passport, found = strings.CutPrefix(lines[1], "Instructor: "+s.address+"/#passport="); !found {
		t.Fatalf("printed %q", lines[1])
	}
	return s
}

// A lockedBuffer is written by the instance while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// get makes a request and returns the status and the body.
func fetch(t *testing.T, method, address, passport, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if passport != "" {
		request.Header.Set("Authorization", "Bearer "+passport)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(request)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

func TestServe(t *testing.T) {
	data := "LECTERN_DATA=" + filepath.Join(t.TempDir(), "data")
	s := serve(t, data)
	as := func(host, origin string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Host = host; origin != "" {
				r.Header.Set("Origin", origin)
			}
		}
	}
	const evil, here = "http://evil.example", "localhost:8080"
	for name, test := range map[string]struct {
		address, passport string
		change            func(*http.Request)
		status            int
		body              string
	}{
		"page":               {s.address + "/", "", nil, 200, "<!doctype html>"},
		"page, other host":   {s.address + "/", "", as("evil.example", ""), 403, "LECTERN_HOSTS"},
		"page, other origin": {s.address + "/", "", as(here, evil), 403, "LECTERN_ORIGINS"},
		"call":               {s.address + "/v1/me", s.passport, nil, 200, `"role":"instructor"`},
		"call, other host":   {s.address + "/v1/me", s.passport, as("evil.example", ""), 403, "LECTERN_HOSTS"},
		"call, other origin": {s.address + "/v1/me", s.passport, as(here, evil), 403, "LECTERN_ORIGINS"},
		"call, no passport":  {s.address + "/v1/me", "", nil, 401, "unauthorized"},
		"call, bad passport": {s.address + "/v1/me", s.passport + "x", nil, 401, "unauthorized"},
		"probe, any host":    {s.address + "/readyz", "", as("10.1.2.3", ""), 200, `"ready":true`},
		"description":        {s.address + "/openapi.json", "", nil, 200, `"openapi":"3.1`},
		"no metrics":         {s.address + "/metrics", "", nil, 404, ""},
		"no profiles":        {s.address + "/debug/pprof/", "", nil, 404, ""},
		"metrics":            {s.ops + "/metrics", "", nil, 200, "lectern_build_info{"},
		"Go's metrics":       {s.ops + "/metrics", "", nil, 200, "\ngo_goroutines "},
		"process's metrics":  {s.ops + "/metrics", "", nil, 200, "\nprocess_open_fds "},
		"profiles":           {s.ops + "/debug/pprof/", "", nil, 200, "goroutine"},
		"ops probe":          {s.ops + "/healthz", "", nil, 200, "live"},
		"ops has no calls":   {s.ops + "/v1/me", s.passport, nil, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := fetch(t, "GET", test.address, test.passport, "", test.change)
			if status != test.status || !strings.Contains(body, test.body) {
				t.Errorf("%d, want %d with %q:\n%s", status, test.status, test.body, body)
			}
		})
	}

	second := try(t, []string{data, "LECTERN_LISTEN=127.0.0.1:0"}, "", "serve")
	if second.err == nil || !strings.Contains(second.err.Error(), "in use") {
		t.Errorf("a second server on one folder: %v", second.err)
	}
}

func TestServeKeepsRooms(t *testing.T) {
	data := "LECTERN_DATA=" + t.TempDir()
	first := serve(t, data)
	status, opened := fetch(t, "POST", first.address+"/v1/rooms", first.passport, `{"title":"Anatomy I","capacity":3}`, nil)
	if status != http.StatusCreated {
		t.Fatalf("%d: %s", status, opened)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(first.address, "http://")); err == nil {
		t.Error("the listener is still there")
	}
	again := serve(t, data)
	status, rooms := fetch(t, "GET", again.address+"/v1/rooms", first.passport, "", nil)
	if status != http.StatusOK || !strings.Contains(rooms, "Anatomy I") {
		t.Errorf("the room is gone, or the passport's key: %d: %s", status, rooms)
	}
}

func TestServeElsewhere(t *testing.T) {
	s := begin(t, "LECTERN_LISTEN=:0", "LECTERN_OPS_LISTEN=", "LECTERN_DATA="+t.TempDir())
	if err := s.stop(); err != nil || s.stdout.String() != "" {
		t.Errorf("ended with %v; on a network it printed %q", err, s.stdout)
	}
	if s.ops != "" {
		t.Errorf("an operations listener that was not wanted: %s", s.ops)
	}
	if !strings.Contains(s.log.String(), "others reach this machine but are refused") {
		t.Errorf("no word of those who are refused:\n%s", s.log)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := signingKeys + "=" + room.NewKey("test").Reveal()
	for name, test := range map[string]struct {
		environ []string
		err     string
	}{
		"address taken":     {[]string{"LECTERN_LISTEN=" + taken.Addr().String()}, "LECTERN_LISTEN: "},
		"ops address taken": {[]string{"LECTERN_OPS_LISTEN=" + taken.Addr().String()}, "LECTERN_OPS_LISTEN: "},
		"data is a file":    {[]string{"LECTERN_DATA=" + file}, file},
		"no public keys":    {[]string{"LECTERN_PASSPORT_JWKS=" + file}, "public keys of " + file},
		"wrong setting":     {[]string{"LECTERN_DRAIN=soon"}, `LECTERN_DRAIN (--drain) is "soon"`},
		"Postgres, no keys": {[]string{"LECTERN_POSTGRES_URL=postgres://localhost/lectern"}, "LECTERN_PASSPORT_KEYS is not set"},
		"no keys but JWKS":  {[]string{"LECTERN_POSTGRES_URL=postgres://localhost/lectern", "LECTERN_PASSPORT_JWKS=" + file}, "LECTERN_PASSPORT_KEYS is not set"},
		"Postgres, port":    {[]string{key, "LECTERN_POSTGRES_URL=postgres://u:secret@localhost:high/lectern"}, "LECTERN_POSTGRES_URL: not a Postgres URL"},
		"Redis, database":   {[]string{key, "LECTERN_POSTGRES_URL=postgres://localhost/lectern", "LECTERN_REDIS_URL=redis://:secret@localhost/first"}, "LECTERN_REDIS_URL: "},
	} {
		t.Run(name, func(t *testing.T) {
			environ := append([]string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN=127.0.0.1:0", "LECTERN_DATA=" + t.TempDir()}, test.environ...)
			got := try(t, environ, "", "serve")
			if got.err == nil || !strings.Contains(got.err.Error(), test.err) {
				t.Errorf("error %v, want %q", got.err, test.err)
			}
			if got.err != nil && strings.Contains(got.err.Error(), "secret") {
				t.Errorf("a secret is shown: %v", got.err)
			}
			if got.stdout != "" {
				t.Errorf("printed %q", got.stdout)
			}
		})
	}
}

// TestHostBeforePath: whoever calls under another name learns nothing, however
// the path is written.
func TestHostBeforePath(t *testing.T) {
	s := serve(t, "LECTERN_DATA="+t.TempDir())
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/v1", "//v1/me", "/v1//me", "/v1/./me", "/v1/../docs", "//", "/docs/../docs"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if media := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusForbidden || media != "application/problem+json" {
			t.Errorf("%s: %s, %s", path, answer.Status, media)
		}
	}
	if status, _ := fetch(t, "GET", s.address+"/v1", "", "", nil); status != http.StatusNotFound {
		t.Errorf("/v1 is answered %d", status)
	}
}
