package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A watching is `lectern watch` while it runs.
type watching struct {
	t      *testing.T
	out    *lockedBuffer
	notes  *lockedBuffer
	cancel context.CancelFunc
	ended  chan error
}

// watch runs the command until it ends by itself or the test does.
func watch(t *testing.T, environ []string, args ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{t: t, out: &lockedBuffer{}, notes: &lockedBuffer{}, cancel: cancel, ended: make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		w.ended <- run(ctx, append([]string{"watch"}, args...), environ, strings.NewReader(""), w.out, w.notes)
	}()
	t.Cleanup(func() {
		cancel()
		<-gone
	})
	return w
}

// end returns what the command came to.
func (w *watching) end() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		w.t.Fatalf("it does not end, and has printed\n%s\n%s", w.out, w.notes)
		return nil
	}
}

// prints waits for a line, which is given without its time.
func (w *watching) prints(line string) {
	w.t.Helper()
	eventually(w.t, func() string {
		if slices.Contains(w.lines(), line) {
			return ""
		}
		return fmt.Sprintf("%q is not printed:\n%s\n%s", line, w.out, w.notes)
	})
}

var timeOfDay = regexp.MustCompile(`^\d\d:\d\d:\d\d `)

func (w *watching) lines() (lines []string) {
	for line := range strings.Lines(w.out.String()) {
		lines = append(lines, timeOfDay.ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))
	}
	return lines
}

// TestWatch: a lecture as the lines of a pipe tell it, from a code and a user
// to the end of the room.
func TestWatch(t *testing.T) {
	h := newHall(t, "1", `"waitlist":true`)
	h.attend("s1", "김민수", http.StatusCreated)
	w := watch(t, h.environ, h.code, "--server", h.address, "--user", "lee")
	w.prints("+ 김민수 seat 1")
	h.attend("s2", "Kim", http.StatusAccepted)
	w.prints("+ Kim 1st in line")
	h.leave("s1")
	w.prints("> Kim seat 1")
	h.call("PATCH", "/v1/rooms/"+h.id, h.teacher, `{"capacity":2,"options":{"approval":true}}`, http.StatusOK, nil)
	h.attend("s3", "Bo", http.StatusAccepted)
	w.prints("+ Bo pending")
	h.call("DELETE", "/v1/rooms/"+h.id+"/members/s2?ban=true", h.teacher, "", http.StatusOK, nil)
	w.prints("- Kim banned")
	h.closeRoom()
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	title := "= 물리학 1, " + h.code
	want := []string{
		title + ", 1 seat, 1 taken, 0 waiting, 0 pending, 0 online", "+ 김민수 seat 1", "+ Kim 1st in line", "- 김민수 left", "> Kim seat 1",
		title + ", 2 seats, 1 taken, 0 waiting, 0 pending, 0 online", "+ Bo pending", "- Kim banned",
		title + ", closed, 2 seats, 0 taken, 0 waiting, 1 pending, 0 online", "= the room is closed: its instructor closed it",
	}
	if got := w.lines(); !slices.Equal(got, want) || w.notes.String() != "" {
		t.Errorf("printed\n%s\nwant\n%s\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), w.notes)
	}

	// Of a closed room there is its last roster.
	w = watch(t, h.environ, h.id, "--server", h.address, "--user", "lee")
	if err := w.end(); err != nil || !slices.Equal(w.lines(), []string{want[8], "+ Bo pending", "= the room is closed"}) {
		t.Errorf("of the closed room: %q, %v", w.lines(), err)
	}
}

func TestWatchFrames(t *testing.T) {
	h := newHall(t, "2", "")
	h.attend("s1", "Kim", http.StatusCreated)
	w := watch(t, []string{ownPassport + "=" + h.teacher}, h.id, "--server", h.address, "--json")
	eventually(t, func() string {
		if !strings.Contains(w.out.String(), `"type":"watching"`) {
			return "no snapshot"
		}
		return ""
	})
	h.closeRoom()
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, line := range w.lines() {
		var m rosterMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		types = append(types, m.Type)
	}
	if !slices.Equal(types[:2], []string{"hello", "watching"}) || types[len(types)-1] != "room_closed" {
		t.Errorf("frames %q", types)
	}
}

func TestWatchEndsWhenAsked(t *testing.T) {
	h := newHall(t, "2", "")
	file := filepath.Join(t.TempDir(), "passport")
	if err := os.WriteFile(file, []byte(h.teacher+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch(t, nil, h.code, "--server", h.address, "--passport-file", file)
	w.prints("= 물리학 1, " + h.code + ", 2 seats, 0 taken, 0 waiting, 0 pending, 0 online")
	w.cancel()
	if err := w.end(); err != nil {
		t.Error(err)
	}
}

func TestWatchRefusals(t *testing.T) {
	h := newHall(t, "2", "")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := must(t, []string{"LECTERN_DATA=" + t.TempDir()}, "", "passport", "--user", "lee", "--role", "instructor")
	for name, test := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"no passport":        {nil, []string{h.id}, "there is no passport: set LECTERN_PASSPORT or --passport-file"},
		"an empty file":      {nil, []string{h.id, "--passport-file", empty}, "is empty"},
		"no file":            {nil, []string{h.id, "--passport-file", empty + "?"}, "--passport-file: open "},
		"another's passport": {[]string{ownPassport + "=" + stranger}, []string{h.id}, "the server does not accept the passport"},
		"another's code":     {h.environ, []string{h.code, "--user", "kim"}, "no room of yours has the join code " + h.code},
		"another's room":     {h.environ, []string{h.id, "--user", "kim"}, "who must be the room's instructor"},
		"no room":            {h.environ, []string{strings.Repeat("0", 26), "--user", "lee"}, "who must be the room's instructor"},
		"no name of a room":  {h.environ, []string{"x", "--user", "lee"}, `"x" is neither a room's id`},
		"no address":         {h.environ, []string{h.id, "--server", "u:secret@h", "--user", "lee"}, "--server is "},
		"nobody there":       {h.environ, []string{h.id, "--server", "http://127.0.0.1:1", "--user", "lee"}, "http://127.0.0.1:1 does not answer (connection refused)"},
		"no code there":      {h.environ, []string{h.code, "--server", "http://127.0.0.1:1", "--user", "lee"}, "--server says where the server is"},
		"no Lectern there":   {h.environ, []string{h.id, "--server", h.ops, "--user", "lee"}, "is it a Lectern"},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if !slices.Contains(args, "--server") {
				args = append(args, "--server", h.address)
			}
			fails(t, try(t, test.environ, "", append([]string{"watch"}, args...)...), test.want)
		})
	}
	fails(t, try(t, nil, "", "watch", h.id, "--passport="+h.teacher), "unknown flag")
}

// A stage is a server that plays a part: one connection after another.
type stage struct {
	*httptest.Server
	asked chan string // what each connection asked for first
}

// play makes a stage. Each connection is greeted, asked for its request, and
// handed to the next part; when there is none, it is hung up on.
func play(t *testing.T, parts ...func(send func(format string, args ...any), conn *websocket.Conn)) *stage {
	t.Helper()
	s := &stage{asked: make(chan string, len(parts)+1)}
	next := make(chan func(func(string, ...any), *websocket.Conn), len(parts))
	for _, part := range parts {
		next <- part
	}
	close(next)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"lectern.v1"}})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		send := func(format string, args ...any) {
			if err := conn.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
				t.Errorf("send: %v", err)
			}
		}
		send(`{"type":"hello"}`)
		_, request, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		s.asked <- string(request)
		if part := <-next; part != nil {
			part(send, conn)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

const playedRoom = "00000000000000000000000000"

// snapshot is the reply to watch with one person in the room.
func snapshot(version int, user string) string {
	return fmt.Sprintf(`{"id":1,"type":"watching","version":%d,"room":{"id":%q,"code":"K7QF3MXD","title":"Physics","capacity":9,"status":"open"},"more":false,"roster":[%s]}`,
		version, playedRoom, person(user, 1))
}

func person(user string, seat int) string {
	return fmt.Sprintf(`{"user":%q,"name":%q,"state":"seated","seat":%d,"place":null,"online":true,"guest":false,"joined_at":"2026-03-02T09:00:00.000Z"}`, user, user, seat)
}

func (s *stage) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	return watch(t, []string{ownPassport + "=played"}, append([]string{playedRoom, "--server", s.URL}, args...)...)
}

// TestWatchReconnects: a connection that ends comes back where it was, and a
// hole in what is heard is asked for.
func TestWatchReconnects(t *testing.T) {
	closed := func(conn *websocket.Conn, code websocket.StatusCode) { conn.Close(code, "as played") }
	s := play(t,
		func(send func(string, ...any), conn *websocket.Conn) {
			send("%s", snapshot(7, "ann"))
			closed(conn, websocket.StatusGoingAway)
		},
		func(send func(string, ...any), conn *websocket.Conn) {
			send(`{"id":1,"type":"watching","version":9,"room":{"id":%q,"title":"Physics","capacity":9,"status":"open"},"deltas":[
				{"type":"roster","from":7,"version":9,"joined":[%s],"left":[{"user":"ann","reason":"left"}],"online":[],"offline":[]}]}`, playedRoom, person("bob", 1))
			closed(conn, 4002)
		},
		func(send func(string, ...any), conn *websocket.Conn) {
			send(`{"id":1,"type":"error","code":"unavailable","message":"away","retry_after_ms":10}`)
			conn.Read(t.Context()) // until the follower goes
		},
		func(send func(string, ...any), conn *websocket.Conn) {
			// A snapshot of several pages, then an event too late, and one too early.
			send(`{"id":1,"type":"watching","version":11,"room":{"id":%q,"title":"Physics","capacity":9,"status":"open"},"more":true,"roster":[%s]}`, playedRoom, person("bob", 1))
			send(`{"type":"roster_page","version":11,"more":false,"roster":[%s]}`, person("cy", 2))
			send(`{"type":"roster","from":10,"version":11,"joined":[%s]}`, person("eve", 3))
			send(`{"type":"roster","from":13,"version":14,"joined":[%s]}`, person("eve", 3))
			_, again, err := conn.Read(t.Context())
			if err != nil || !strings.Contains(string(again), `"since":11`) {
				t.Errorf("after a hole: asked %s, %v", again, err)
			}
			send("%s", snapshot(14, "dan"))
			send(`{"type":"room_closed","reason":"expired"}`)
		},
	)
	w := s.watch(t)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"= Physics, K7QF3MXD, 9 seats, 1 taken, 0 waiting, 0 pending, 1 online", "+ ann seat 1",
		"= Physics, 9 seats, 1 taken, 0 waiting, 0 pending, 1 online", "- ann left", "+ bob seat 1", "+ cy seat 2",
		"= Physics, K7QF3MXD, 9 seats, 1 taken, 0 waiting, 0 pending, 1 online", "- bob", "- cy", "+ dan seat 1",
		"= the room is closed: its time was over",
	}
	if got := w.lines(); !slices.Equal(got, want) {
		t.Errorf("printed\n%s\nwant\n%s\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), w.notes)
	}
	for _, since := range []string{"", `"since":7`, `"since":9`, `"since":9`} {
		if asked := <-s.asked; !strings.Contains(asked, since) || strings.Contains(asked, "since") != (since != "") {
			t.Errorf("asked %s, want %s", asked, since)
		}
	}
	if lost := strings.Count(w.notes.String(), "trying again in"); lost != 3 {
		t.Errorf("%d losses were told:\n%s", lost, w.notes)
	}
}

// What each close code means is the protocol's.
func TestWatchCloseCodes(t *testing.T) {
	for code, final := range map[websocket.StatusCode]bool{
		1000: true, 1003: true, 1007: true, 1008: true, 1009: true, 4003: true, 4001: true,
		1001: false, 1011: false, 1012: false, 1013: false, 4002: false,
	} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			t.Parallel()
			s := play(t,
				func(send func(string, ...any), conn *websocket.Conn) {
					send("%s", snapshot(7, "ann"))
					conn.Close(code, "as played")
				},
				func(send func(string, ...any), _ *websocket.Conn) { send(`{"type":"room_closed"}`) },
			)
			err := s.watch(t).end()
			switch {
			case !final && err != nil:
				t.Errorf("it stayed away: %v", err)
			case final && (err == nil || code != 4001 && !strings.Contains(err.Error(), fmt.Sprintf("as played (%d)", code))):
				t.Errorf("it came back, or does not say why not: %v", err)
			}
		})
	}
}

// A passport that has expired is replaced if there is another.
func TestWatchFreshPassport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passport")
	put := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Error(err)
		}
	}
	put("first")
	s := play(t,
		func(send func(string, ...any), conn *websocket.Conn) {
			send("%s", snapshot(7, "ann"))
			put("second")
			conn.Close(4001, "expired")
		},
		func(send func(string, ...any), conn *websocket.Conn) {
			conn.Close(4001, "expired")
		},
	)
	w := watch(t, nil, playedRoom, "--server", s.URL, "--passport-file", file)
	if err := w.end(); err == nil || !strings.Contains(err.Error(), "the passport has expired") || len(s.asked) != 2 {
		t.Errorf("after %d connections: %v", len(s.asked), err)
	}
}

// Whoever is told when to come back does not come earlier, and a room that was
// never reached is not waited for.
func TestWatchComesBackWhenTold(t *testing.T) {
	var left time.Time
	s := play(t,
		func(send func(string, ...any), conn *websocket.Conn) {
			send("%s", snapshot(7, "ann"))
			send(`{"type":"draining","reconnect_after_ms":1500}`)
			left = time.Now()
			conn.Close(websocket.StatusGoingAway, "as played")
		},
		func(send func(string, ...any), _ *websocket.Conn) {
			if early := 1500*time.Millisecond - time.Since(left); early > 100*time.Millisecond {
				t.Errorf("it came back %v too early", early)
			}
			send(`{"type":"room_closed"}`)
		},
	)
	if err := s.watch(t).end(); err != nil {
		t.Error(err)
	}
}

func TestWatchPauses(t *testing.T) {
	f := &follower{}
	for try := range 30 {
		longest := min(longestPause, firstPause<<min(try, 10))
		if pause := f.pause(0); pause < 0 || pause > longest {
			t.Errorf("try %d: %v, at most %v", try, pause, longest)
		}
	}
	if pause := f.pause(time.Hour); pause != time.Hour {
		t.Errorf("told to wait an hour: %v", pause)
	}
	f.notBefore = time.Now().Add(time.Hour)
	if pause := f.pause(0); pause < 59*time.Minute {
		t.Errorf("not before an hour: %v", pause)
	}
}

func TestUnwatchForced(t *testing.T) {
	s := play(t, func(send func(string, ...any), conn *websocket.Conn) {
		send("%s", snapshot(7, "ann"))
		send(`{"type":"unwatch_forced"}`)
		conn.Read(t.Context())
	})
	if err := s.watch(t).end(); err == nil || !strings.Contains(err.Error(), "not shown") {
		t.Errorf("it ended with %v", err)
	}
}

// Names do nothing to the terminal of whoever reads them.
func TestPlain(t *testing.T) {
	if got := plain("Ann\x1b[2J\nBob\u202e 김민수 😀"); got != "Ann?[2J?Bob? 김민수 😀" {
		t.Errorf("%q", got)
	}
}

var errPrinter = errors.New("no paper")

type brokenPrinter struct{}

func (brokenPrinter) Write([]byte) (int, error) { return 0, errPrinter }

// A reader who has gone ends it.
func TestWatchWithoutAReader(t *testing.T) {
	s := play(t, func(send func(string, ...any), conn *websocket.Conn) {
		send("%s", snapshot(7, "ann"))
		conn.Read(t.Context())
	})
	err := run(t.Context(), []string{"watch", playedRoom, "--server", s.URL}, []string{ownPassport + "=played"},
		strings.NewReader(""), brokenPrinter{}, &bytes.Buffer{})
	if !errors.Is(err, errPrinter) {
		t.Errorf("it ended with %v", err)
	}
}
