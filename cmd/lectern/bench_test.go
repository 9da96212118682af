package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

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
				_, gap = w.take(&test.messages[i])
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

// TestLooksIntoTheStore: an instance shows what is right, perhaps a little later
// than another has said it, after which its store, which is busy at first, may
// have something else.
func TestLooksIntoTheStore(t *testing.T) {
	t.Parallel()
	ann, bob := seatEntry{User: "ann", State: room.Seated, Seat: 1}, seatEntry{User: "bob", State: room.Seated, Seat: 2}
	const both = `{"user":"ann","seat":1},{"user":"bob","seat":2}`
	for name, test := range map[string]struct {
		late   int // looks at the roster before bob is there
		people string
		broken []string
	}{
		"good":         {1, both + `,{"user":"kim","seat":null}`, nil},
		"lost":         {0, `{"user":"ann","seat":1}`, []string{"bob was told seat 2 and is stored with seat 0", "1 people are stored with seats, 2 were told so"}},
		"another seat": {0, `{"user":"ann","seat":1},{"user":"bob","seat":3}`, []string{"bob was told seat 2 and is stored with seat 3"}},
		"not shown":    {1e6, both, []string{"bob was told seat 2 and is shown with seat 0", "1 people are shown with seats, 2 were told so"}},
	} {
		l := &lesson{id: "r", seats: 3, told: acknowledged{"ann": 1, "bob": 2}}
		l.instructor = &visitor{follow: newFollow(l, false)}
		l.instructor.follow.take(&rosterMessage{Type: "watching", Version: 2, Roster: []seatEntry{ann}})
		busy := true
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/roster") && test.late > 0:
				test.late--
				io.WriteString(w, `{"version":2,"items":[{"user":"ann","state":"seated","seat":1}]}`)
			case strings.HasSuffix(r.URL.Path, "/roster"):
				l.instructor.follow.take(&rosterMessage{Type: "roster", From: 2, Version: 3, Joined: []seatEntry{bob}})
				io.WriteString(w, `{"version":3,"items":[{"user":"ann","state":"seated","seat":1},{"user":"bob","state":"seated","seat":2}]}`)
			case busy:
				busy = false
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				io.WriteString(w, `{"people":[`+test.people+`]}`)
			}
		}))
		address, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{fleet: &fleet{loadTarget: &loadTarget{url: address, http: server.Client()}}, report: newReport(plan{}), lessons: []*lesson{l}}
		if b.clientele, err = newClientele(nil); err != nil {
			t.Fatal(err)
		}
		if err := b.check(t.Context(), true); err != nil || !slices.Equal(b.report.Broken, test.broken) && len(test.broken)+len(b.report.Broken) > 0 {
			t.Errorf("%s: %v, broken: %q", name, err, b.report.Broken)
		}
		b.close()
		server.Close()
	}
}

// TestLostWhileComingBack: nobody is waited for whose return came to nothing.
func TestLostWhileComingBack(t *testing.T) {
	b := &bench{clientele: &clientele{}, report: newReport(plan{})}
	r, v := b.returns(nil), &visitor{user: "ann", seat: 1}
	r.away[v] = time.Now()
	if r.lost(v, errors.New("refused")); len(r.away) > 0 || len(b.report.Broken) != 1 {
		t.Errorf("away: %v, broken: %q", r.away, b.report.Broken)
	}
}

func TestLostSockets(t *testing.T) {
	there, gone := &visitor{fd: 7}, &visitor{}
	for name, test := range map[string]struct {
		all    []*visitor
		errors map[string]int
		broken int
	}{
		"none":                            {[]*visitor{there, there}, nil, 0},
		"one":                             {[]*visitor{there, gone}, nil, 1},
		"one that never came, as is said": {[]*visitor{there, gone}, map[string]int{"dial": 1}, 0},
	} {
		b := &bench{clientele: &clientele{visitors: test.all}, report: newReport(plan{})}
		maps.Copy(b.report.Errors, test.errors)
		if b.traffic(); len(b.report.Broken) != test.broken {
			t.Errorf("%s: %q", name, b.report.Broken)
		}
	}
}

// benched runs a scenario, which must keep every promise, and returns its
// report.
func benched(t *testing.T, environ []string, args ...string) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(must(t, environ, "", append(append([]string{"bench"}, args...), "--json")...)), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Errors) > 0 || len(r.Broken) > 0 || r.Seconds <= 0 || r.Client.CPUSeconds <= 0 {
		t.Errorf("lectern bench %q: %+v", args, r)
	}
	for what, l := range r.Times {
		if l.P50 < 0 || l.P90 < l.P50 || l.P99 < l.P90 || l.Max < l.P99 || l.Max > 1000*r.Seconds+5000 {
			t.Errorf("lectern bench %q: %s %v in %v s", args, what, l, r.Seconds)
		}
	}
	return r
}

// own is the environment of a load that starts its servers.
func own() []string { return append(os.Environ(), beProgram+"=1") }

func TestStorm(t *testing.T) {
	for _, flags := range [][]string{{"--in-flight", "0"}, {"--open-first"}, {"--rate", "1000"}} {
		r := benched(t, own(), append([]string{"storm", "--students", "300", "--seats", "200"}, flags...)...)
		if r.Seated != 200 || r.Refused["room_full"] != 100 || len(r.Refused) != 1 || r.Sockets != 301 {
			t.Errorf("%q: %+v", flags, r)
		}
		if r.Server == nil || r.Server.CPUPerJoinUs <= 0 || r.Server.MemoryPerSocket == 0 || r.Bare.DurableWriteMs <= 0 {
			t.Errorf("%q: the server's cost is %+v beside %+v", flags, r.Server, r.Bare)
		}
		if r.Times[askedToJoined].Max <= 0 || r.Times[joinedToSeen] == (latency{}) {
			t.Errorf("%q: %v", flags, r.Times)
		}
	}
}

// TestStormElsewhere puts a running server under load, twice: the first storm
// closes its room.
func TestStormElsewhere(t *testing.T) {
	i := startInstance(t)
	for _, ops := range [][]string{nil, {"--ops", i.loadTarget.ops}} {
		r := benched(t, i.environ(), append([]string{"storm", "--students", "100", "--server", i.loadTarget.url.String()}, ops...)...)
		if r.Seated != 100 || (r.Server != nil) != (ops != nil) {
			t.Errorf("%q: %d seated, the server's cost is %+v", ops, r.Seated, r.Server)
		}
	}
}

// TestStormOverTLS puts a server under load that is behind TLS, whose
// certificate must be good.
func TestStormOverTLS(t *testing.T) {
	i := startInstance(t)
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(i.loadTarget.url))
	defer front.Close()
	storm := exec.Command(os.Args[0], "bench", "storm", "--students", "50", "--server", front.URL, "--json")
	storm.Env = i.environ()
	if out, err := storm.CombinedOutput(); err == nil || !strings.Contains(string(out), "certificate") {
		t.Errorf("with a certificate that nobody knows: %v, %s", err, out)
	}
	known := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(known, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	storm = exec.Command(storm.Args[0], storm.Args[1:]...)
	storm.Env = append(i.environ(), "SSL_CERT_FILE="+known)
	out, err := storm.Output()
	var r report
	if err := errors.Join(err, json.Unmarshal(out, &r)); err != nil || r.Seated != 50 || len(r.Errors) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestRooms(t *testing.T) {
	r := benched(t, own(), "rooms", "--rooms", "7", "--students", "100")
	if r.Seated != 100 || r.Sockets != 107 || r.Heard["watching"] != 7 {
		t.Errorf("%+v", r)
	}
}

func TestIdle(t *testing.T) {
	r := benched(t, own(), "idle", "--students", "200", "--settle", "100ms")
	if r.Seated != 200 || r.Server == nil || r.Server.StackPerSocket <= 0 {
		t.Errorf("%+v, server %+v", r, r.Server)
	}
}

func TestFanout(t *testing.T) {
	for _, test := range []struct {
		flags      []string
		deliveries int64
	}{
		{[]string{"--people", "50", "--changes", "5", "--rate", "16"}, 5 * 50},
		{[]string{"--people", "50", "--changes", "5", "--watching", "all"}, 5 * 50},
		{[]string{"--people", "20", "--changes", "3", "--backlog", "9"}, 3 * 9 * 20},
	} {
		if r := benched(t, own(), append([]string{"fanout"}, test.flags...)...); r.Deliveries != test.deliveries || r.Server.CPUPerChangeUs <= 0 || r.Bare.LoopbackUs <= 0 || r.Times[askedToHeard].Max <= 0 {
			t.Errorf("%q: %d deliveries, not %d; %v", test.flags, r.Deliveries, test.deliveries, r.Times)
		}
	}
}

func TestFanoutOfJoins(t *testing.T) {
	for watching, watchers := range map[string]int64{"one": 1, "all": 51} {
		r := benched(t, own(), "fanout", "--people", "50", "--change", "join", "--rate", "100", "--watching", watching)
		if r.Seated != 50 || r.Heard["watching"] != watchers || r.Deliveries <= 0 || r.Heard["roster"] == 0 {
			t.Errorf("%s: %+v", watching, r)
		}
	}
}

func TestMixed(t *testing.T) {
	r := benched(t, own(), "mixed", "--students", "60", "--rooms", "3", "--bell", "500ms", "--for", "3s", "--flapping", "1")
	if r.Seated != 60 || r.Times[gap].Max <= 0 || r.Heard["hello"] <= 63 {
		t.Errorf("%+v", r)
	}
}

// TestMixedRefused has a server let fewer in than there are seats for.
func TestMixedRefused(t *testing.T) {
	i := startInstance(t, "LECTERN_SOCKETS_PER_ADDRESS=10")
	got := try(t, i.environ(), "", "bench", "mixed", "--students", "20", "--rooms", "1", "--bell", "100ms", "--for", "1ms", "--flapping", "0", "--server", i.loadTarget.url.String())
	if !strings.Contains(got.stdout, "BROKEN: 9 were seated, not 20") || got.err == nil {
		t.Errorf("%v, %s", got.err, got.stdout)
	}
}

// TestMixedLosesSockets has a server cut someone off during the day.
func TestMixedLosesSockets(t *testing.T) {
	server := echo(t, func(context.Context, *websocket.Conn) error { return nil })
	c, v := alone(t, server, "good")
	b := &bench{clientele: c, report: newReport(plan{}), stderr: io.Discard}
	v.user, v.lesson = "ann", &lesson{}
	b.dial(v)
	if err := (&mixedCommand{For: time.Second}).day(t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	if b.traffic(); len(b.report.Broken) != 1 || !strings.Contains(b.report.Broken[0], "ann lost the socket") {
		t.Errorf("%q", b.report.Broken)
	}
}

// TestRestart: three instances are replaced, one after the other.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	r := benched(t, append(s.environ, own()...), "restart", "--rolling", "--instances", "3", "--students", "120", "--joining", "30")
	if r.Seated != 150 || r.Times[gap].Max <= 0 || r.Times[stopToExit].Max <= r.Times[toldToGo].P50 || r.Heard["draining"] < 150 || r.Offline == nil {
		t.Errorf("%+v", r)
	}
	if r.Bare.CommitMs <= 0 || r.Bare.RedisTripMs <= 0 {
		t.Errorf("bare: %+v", r.Bare)
	}
}

// TestOwnServersEnd: Ctrl-C reaches no server of a load's own, and a load that
// is killed leaves none behind.
func TestOwnServersEnd(t *testing.T) {
	on := noCores()
	one, err := launchBy(t.Context(), t.TempDir(), append(own(), signingKeys+"="+newKey("s").Reveal()), on.start)
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(one.process.Pid); err != nil || group != one.process.Pid {
		t.Errorf("process %d is of group %d, %v", one.process.Pid, group, err)
	}
	if err := one.stop(); err != nil {
		t.Error(err)
	}
	folder := t.TempDir()
	load := exec.Command(os.Args[0], "bench", "idle", "--students", "1", "--settle", "1m")
	load.Env = append(own(), "TMPDIR="+folder)
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { load.Process.Kill() })
	server := &child{}
	eventually(t, func() string {
		if logs, _ := filepath.Glob(folder + "/lectern-bench-*/log-*"); len(logs) == 1 {
			server.log = logs[0]
		}
		if !server.ready(t.Context()) {
			return "its server is not ready"
		}
		return ""
	})
	if err := load.Process.Kill(); err != nil {
		t.Error(err)
	}
	load.Wait()
	eventually(t, func() string {
		if server.ready(t.Context()) {
			return "its server is still there"
		}
		return ""
	})
}

func TestBenchRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no keys":       {[]string{"storm", "--server", "http://127.0.0.1:1"}, signingKeys},
		"no URL":        {[]string{"storm", "--server", "127.0.0.1:1"}, "--server"},
		"a path":        {[]string{"storm", "--server", "http://127.0.0.1:1/x"}, "--server"},
		"no protocol":   {[]string{"storm", "--server", "ftp://127.0.0.1"}, "--server"},
		"no students":   {[]string{"storm", "--students", "0"}, "--students"},
		"too many":      {[]string{"storm", "--students", "1000000000"}, "open files"},
		"no store":      {[]string{"rooms", "--instances", "2"}, "LECTERN_REDIS_URL"},
		"none stays":    {[]string{"restart"}, "--instances"},
		"too fast":      {[]string{"fanout", "--rate", "1000"}, "--rate"},
		"not its own":   {[]string{"fanout", "--backlog", "2", "--server", "http://127.0.0.1:1"}, "of its own"},
		"an impossible": {[]string{"mixed", "--flapping", "2"}, "--flapping"},
	} {
		got := try(t, nil, "", append([]string{"bench"}, test.args...)...)
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
		client, server, busy float64 // shares of this machine, and of the time
		pinned, own, warns   bool
	}{
		"neither":               {0.1, 0.1, 0.3, false, true, false},
		"client, alone":         {0.5, 0, 0.95, false, false, true},
		"client more":           {0.6, 0.35, 0.8, false, true, true},
		"server more":           {0.35, 0.6, 0.8, false, true, false},
		"each its own":          {0.5, 0.45, 0.8, true, true, false},
		"server, on another":    {0.6, 0.9, 0.8, false, false, false},
		"client more, but idle": {0.3, 0.2, 0.5, false, true, false},
	} {
		r := report{
			Seconds: 1, Client: clientCost{CPUSeconds: test.client * all, Share: test.client, Busy: test.busy},
			Server: &serverCost{CPUSeconds: test.server * all},
		}
		r.judgeClient(test.pinned, test.own)
		if warned := r.Warning != ""; warned != test.warns {
			t.Errorf("%s: %q", name, r.Warning)
		}
	}
}

func TestReportTable(t *testing.T) {
	r := newReport(plan{scenario: "storm", settings: map[string]any{"seats": 4}})
	r.Broken = slices.Repeat([]string{"it"}, 12)
	r.Times[dialToJoined] = latency{3, 4, 5, 6}
	r.Bare = bare{DurableWriteMs: 2, LoopbackUs: 5}
	r.Server = &serverCost{CPUSeconds: 1, CPUPerDeliveryUs: 10}
	var b strings.Builder
	if err := r.write(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 seats", "BROKEN: it", "and 2 more", "errors", "= 1.5 durable writes", "2.00 × a bare write"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestBar(t *testing.T) {
	for done, full := range map[int]int{0: 0, 50: barWidth / 2, 100: barWidth} {
		if got := bar(done, 100, "joined"); strings.Count(got, "█") != full || !strings.Contains(got, "of 100 joined") {
			t.Errorf("%d: %s", done, got)
		}
	}
}
