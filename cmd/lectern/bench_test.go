package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
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

func TestLoadSocket(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 65535, 65536, 300_000}
	server := echo(t, func(ctx context.Context, c *websocket.Conn) error {
		c.SetReadLimit(1 << 20)
		for range sizes {
			kind, data, err := c.Read(ctx)
			if err != nil {
				return err
			}
			if err := c.Write(ctx, kind, data); err != nil {
				return err
			}
		}
		reading := c.CloseRead(ctx) // takes the pong
		if err := c.Ping(ctx); err != nil {
			return err
		}
		c.Close(4002, "slow")
		<-reading.Done()
		return nil
	})
	s, err := dialSocket(t.Context(), server, "good")
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	for _, size := range sizes {
		sent := strings.Repeat("가a", size/4+1)[:size/4*4] + strings.Repeat("x", size%4)
		if err := s.send([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		got, err := s.read()
		if err != nil || string(got) != sent {
			t.Fatalf("%d bytes came back as %d: %v", len(sent), len(got), err)
		}
	}
	var closed *closedSocket
	if _, err := s.read(); !errors.As(err, &closed) || closed.code != 4002 || closed.reason != "slow" {
		t.Errorf("the close frame was read as %v", err)
	}
}

func TestLoadSocketReadsFragments(t *testing.T) {
	server := echo(t, func(ctx context.Context, c *websocket.Conn) error {
		w, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			return err
		}
		for range 3 { // each more than the library's buffer, so each a frame
			if _, err := w.Write([]byte(strings.Repeat("a", 10_000))); err != nil {
				return err
			}
		}
		return w.Close()
	})
	s, err := dialSocket(t.Context(), server, "good")
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	if got, err := s.read(); err != nil || string(got) != strings.Repeat("a", 30_000) {
		t.Errorf("three fragments of 10,000 bytes came as %d: %v", len(got), err)
	}
}

func TestRefusedUpgrade(t *testing.T) {
	server := echo(t, nil)
	var refused *refusedUpgrade
	_, err := dialSocket(t.Context(), server, "bad")
	if !errors.As(err, &refused) || refused.status != http.StatusUnauthorized || refused.code != "unauthorized" {
		t.Errorf("a refused upgrade was read as %v", err)
	}
}

func TestWatcherTakes(t *testing.T) {
	ann := seatEntry{User: "ann", State: room.Seated, Seat: 1, Online: true}
	bob := seatEntry{User: "bob", State: room.Seated, Seat: 2, Online: true}
	away := bob
	away.Online = false
	snapshot := rosterMessage{Type: "watching", Version: 5, Roster: []seatEntry{ann}}
	event := func(from, version int64) rosterMessage {
		return rosterMessage{Type: "roster", From: from, Version: version, Joined: []seatEntry{bob}}
	}
	offline := event(6, 7)
	offline.Joined, offline.Offline = nil, []room.UserID{"bob"}
	left := event(6, 8)
	left.Joined, left.Left = nil, []leaving{{User: "ann"}}
	for name, test := range map[string]struct {
		messages []rosterMessage
		want     []seatEntry
		version  int64
		gap      bool
	}{
		"snapshot":    {[]rosterMessage{snapshot}, []seatEntry{ann}, 5, false},
		"next":        {[]rosterMessage{snapshot, event(5, 6)}, []seatEntry{ann, bob}, 6, false},
		"overlap":     {[]rosterMessage{snapshot, event(2, 6)}, []seatEntry{ann, bob}, 6, false},
		"old":         {[]rosterMessage{snapshot, event(4, 5)}, []seatEntry{ann}, 5, false},
		"gap":         {[]rosterMessage{snapshot, event(6, 7)}, []seatEntry{ann}, 5, true},
		"offline":     {[]rosterMessage{snapshot, event(5, 6), offline}, []seatEntry{ann, away}, 7, false},
		"left":        {[]rosterMessage{snapshot, event(5, 6), left}, []seatEntry{bob}, 8, false},
		"deltas":      {[]rosterMessage{snapshot, {Type: "watching", Version: 7, Deltas: []rosterMessage{event(5, 6), offline}}}, []seatEntry{ann, away}, 7, false},
		"no deltas":   {[]rosterMessage{snapshot, {Type: "watching", Version: 5, Deltas: []rosterMessage{}}}, []seatEntry{ann}, 5, false},
		"replaced":    {[]rosterMessage{snapshot, {Type: "watching", Version: 9, Roster: []seatEntry{bob}}}, []seatEntry{bob}, 9, false},
		"paged":       {[]rosterMessage{{Type: "watching", Version: 5, Roster: []seatEntry{ann}, More: true}, {Type: "roster_page", Version: 5, Roster: []seatEntry{bob}}}, []seatEntry{ann, bob}, 5, false},
		"stray pages": {[]rosterMessage{snapshot, {Type: "roster_page", Version: 5, Roster: []seatEntry{bob}}}, []seatEntry{ann}, 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(nil, "r")
			gap := false
			for i := range test.messages {
				gap = w.take(&test.messages[i], time.Now())
			}
			if gap != test.gap {
				t.Errorf("gap: %v", gap)
			}
			if w.version != test.version {
				t.Errorf("version %d, not %d", w.version, test.version)
			}
			if differs := w.differs(test.want, test.version); differs != "" {
				t.Error(differs)
			}
		})
	}
}

func TestWatcherDiffers(t *testing.T) {
	ann := seatEntry{User: "ann", Seat: 1}
	moved := ann
	moved.Seat = 2
	w := newWatcher(nil, "r")
	w.entries["ann"] = ann
	w.version = 3
	for name, stored := range map[string][]seatEntry{
		"fewer": {}, "more": {ann, {User: "bob", Seat: 2}}, "another": {{User: "bob", Seat: 1}}, "changed": {moved},
	} {
		if w.differs(stored, 3) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
	if w.differs([]seatEntry{ann}, 2) == "" {
		t.Error("a watcher ahead of the store was not noticed")
	}
	if differs := w.differs([]seatEntry{ann}, 4); differs != "" {
		t.Errorf("an entry that concerns nobody: %s", differs)
	}
}

func TestBrokenSeats(t *testing.T) {
	seated := func(user room.UserID, seat int) seatEntry {
		return seatEntry{User: user, State: room.Seated, Seat: seat}
	}
	for name, test := range map[string]struct {
		told   acknowledged
		stored []seatEntry
		sure   bool
		broken int
	}{
		"good":                 {acknowledged{"a": 1, "b": 2}, []seatEntry{seated("a", 1), seated("b", 2)}, true, 0},
		"lost":                 {acknowledged{"a": 1, "b": 2}, []seatEntry{seated("a", 1)}, false, 1},
		"another seat":         {acknowledged{"a": 1}, []seatEntry{seated("a", 2)}, true, 1},
		"told twice":           {acknowledged{"a": 1, "b": 1}, []seatEntry{seated("a", 1), seated("b", 2)}, true, 2},
		"stored twice":         {acknowledged{"a": 1, "b": 2}, []seatEntry{seated("a", 1), seated("b", 2), seated("c", 2)}, false, 1},
		"out of range":         {acknowledged{"a": 3}, []seatEntry{seated("a", 3)}, true, 1},
		"oversold":             {acknowledged{"a": 1, "b": 2, "c": 3}, []seatEntry{seated("a", 1), seated("b", 2), seated("c", 3)}, true, 2},
		"untold":               {acknowledged{"a": 1}, []seatEntry{seated("a", 1), seated("b", 2)}, true, 1},
		"untold with an error": {acknowledged{"a": 1}, []seatEntry{seated("a", 1), seated("b", 2)}, false, 0},
	} {
		if got := test.told.broken(2, test.stored, test.sure); len(got) != test.broken {
			t.Errorf("%s: %d broken, not %d: %q", name, len(got), test.broken, got)
		}
	}
}

// stormed runs a small storm and returns its report.
func stormed(t *testing.T, environ []string, flags ...string) report {
	t.Helper()
	args := append([]string{"bench", "storm", "--students", "300", "--seats", "200", "--json"}, flags...)
	var r report
	if err := json.Unmarshal([]byte(must(t, environ, "", args...)), &r); err != nil {
		t.Fatal(err)
	}
	if r.Seated != 200 || r.Refused["room_full"] != 100 || len(r.Refused) != 1 || len(r.Errors) != 0 || len(r.Broken) != 0 {
		t.Errorf("a good storm was reported as %+v", r)
	}
	for what, l := range map[string]latency{"joined": r.Joined, "shown": r.Shown} {
		if l.P50 < 0 || l.P90 < l.P50 || l.P99 < l.P90 || l.Max < l.P99 || l.Max <= 0 || l.Max > 1000*r.Seconds+5000 {
			t.Errorf("%s: %v in %v s", what, l, r.Seconds)
		}
	}
	if r.PerSec <= 0 || r.Client.CPUSeconds <= 0 {
		t.Errorf("%v joins/s, client %+v", r.PerSec, r.Client)
	}
	return r
}

func TestStorm(t *testing.T) {
	r := stormed(t, append(os.Environ(), beProgram+"=1"))
	if r.Server == nil || r.Server.CPUSeconds <= 0 || r.Server.CPUPerJoinUs <= 0 {
		t.Errorf("the server's cost is %+v", r.Server)
	}
}

// TestStormElsewhere puts a running server under load, twice: the first storm
// closes its room.
func TestStormElsewhere(t *testing.T) {
	i := startInstance(t)
	for _, flags := range [][]string{{"--in-flight", "0"}, {"--ops", i.loadTarget.ops}} {
		r := stormed(t, i.environ(), append(flags, "--server", i.loadTarget.url.String())...)
		if known := len(flags) > 0 && flags[0] == "--ops"; (r.Server != nil) != known {
			t.Errorf("the server's cost is %+v", r.Server)
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no keys":     {[]string{"--server", "http://127.0.0.1:1"}, signingKeys},
		"no URL":      {[]string{"--server", "127.0.0.1:1"}, "--server"},
		"a path":      {[]string{"--server", "http://127.0.0.1:1/x"}, "--server"},
		"no students": {[]string{"--students", "0"}, "--students"},
		"too many":    {[]string{"--students", "1000000000"}, "open files"},
	} {
		got := try(t, nil, "", append([]string{"bench", "storm"}, test.args...)...)
		if got.err == nil || !strings.Contains(got.err.Error(), test.want) {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

func TestLatency(t *testing.T) {
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(1000-i)*time.Millisecond)
	}
	if got, want := latencyOf(all), (latency{500, 900, 990, 1000}); got != want {
		t.Errorf("%v, not %v", got, want)
	}
	if got := latencyOf([]time.Duration{time.Second}); got != (latency{1000, 1000, 1000, 1000}) {
		t.Errorf("of one: %v", got)
	}
	if got := latencyOf(nil); got != (latency{}) {
		t.Errorf("of none: %v", got)
	}
}

func TestJudgeClient(t *testing.T) {
	all := float64(runtime.NumCPU())
	for name, test := range map[string]struct {
		client, server float64 // shares of this machine
		own, warns     bool
	}{
		"neither":               {0.1, 0.1, true, false},
		"client, alone":         {0.95, 0, false, true},
		"client more":           {0.6, 0.35, true, true},
		"server more":           {0.35, 0.6, true, false},
		"server, on another":    {0.6, 0.9, false, false},
		"client more, but idle": {0.3, 0.2, true, false},
	} {
		r := report{
			Seconds: 1, Client: clientCost{CPUSeconds: test.client * all, Share: test.client},
			Server: &serverCost{CPUSeconds: test.server * all},
		}
		r.judgeClient(test.own)
		if warned := r.Warning != ""; warned != test.warns {
			t.Errorf("%s: %q", name, r.Warning)
		}
	}
}

func TestReportTable(t *testing.T) {
	r := &report{Scenario: "storm", Settings: map[string]int{"seats": 4}, Broken: slices.Repeat([]string{"it"}, 12)}
	var b strings.Builder
	if err := r.write(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 seats", "BROKEN: it", "and 2 more", "errors"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
