package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// drainSeated have a seat on the instance that leaves, drainAsking a socket
	// with which they ask for one meanwhile, and drainIdle just a socket: 2,000
	// with that of who watches. drainComing come anew, to whichever instance.
	drainSeated = 1_000
	drainAsking = 300
	drainIdle   = 699
	drainComing = 100
	// drainRate is how many of them a second ask: about as long as it takes.
	drainRate = 200
	// drainWithin is the time that an instance has to leave.
	drainWithin = 20 * time.Second
)

// A drained cluster is two instances of which one leaves, and everyone who was
// there.
type drained struct {
	*exodus
	t       *testing.T
	cluster *cluster
	watcher *visitor   // on the instance that leaves, beside one on the other
	all     []*visitor // who have seats in the end
	served  int        // joins that the instance answered after it had told people to go
}

// TestDrainTwoThousand: an instance with 2,000 sockets leaves while people ask
// it for seats. All are told when to go, each at another moment, and come back
// to the other instance; nothing that was acknowledged is lost, and nobody is
// shown offline.
func TestDrainTwoThousand(t *testing.T) {
	t.Parallel()
	d := newDrained(t)
	d.gather()
	turns := &turns{people: d.all[drainSeated:], rate: drainRate}
	turns.begin = func(v *visitor) {
		if v == turns.people[0] {
			d.countServed()
		}
		if v.fd == 0 {
			d.dial(v)
		} else {
			d.join(v)
		}
	}
	began := time.Now()
	if err := d.play(t.Context(), 1, turns); err != nil {
		t.Fatal(err)
	}
	d.cluster.instances = d.cluster.instances[:1]
	d.checkMoments()
	d.checkSeats()
	right := d.checkWatchers(time.Now())
	if err := d.rest(t.Context(), time.Until(began.Add(d.exits[0]+room.OfflineAfter+tolerance))); err != nil {
		t.Fatal(err)
	}
	offline := d.cluster.happened(d.lessons[0].id, func(e room.Event) bool { return e.Type == room.EventOffline })
	if long := d.awayForLong(); len(offline) > long {
		t.Errorf("%d times someone was shown offline, and %d were away for so long: %+v", len(offline), long, offline[0])
	}
	if d.exits[0] > drainWithin {
		t.Errorf("it took %v to leave", d.exits[0])
	}
	if d.served == 0 {
		t.Error("the instance that left answered no join any more")
	}
	for _, broken := range d.report.Broken {
		t.Error(broken)
	}
	if !t.Failed() {
		roomtest.Proved(t, "SIGTERM with %d sockets, and %d joins answered after it by the instance that leaves: all told draining, %+v ms; gone after %v; %d acknowledged, 0 lost; %d times someone was shown offline; back after %+v ms, the watchers right %v later",
			len(d.delays), d.served, latencyOf(d.delays), d.exits[0].Round(time.Millisecond), len(d.lessons[0].told), len(offline), latencyOf(d.gaps), right.Round(time.Millisecond))
	}
}

// newDrained starts two instances, and a clientele that knows both.
func newDrained(t *testing.T) *drained {
	t.Helper()
	c := newCluster(t, 2)
	f := &fleet{loadTarget: c.instances[0].loadTarget}
	for _, i := range c.instances {
		f.all, f.children = append(f.all, i.loadTarget), append(f.children, i.child)
	}
	b := &bench{fleet: f, run: "drain", report: newReport(plan{}), stderr: io.Discard}
	var err error
	if b.clientele, err = newClientele(f.all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.clientele.close)
	return &drained{exodus: b.exodus(), t: t, cluster: c}
}

// gather seats those who have seats, connects the others who are there, and
// has the roster watched on both instances.
func (d *drained) gather() {
	d.t.Helper()
	ctx := d.t.Context()
	if err := d.opens(ctx, 1, drainSeated+drainAsking+drainComing); err != nil {
		d.t.Fatal(err)
	}
	all, err := d.students(drainIdle + drainSeated + drainAsking + drainComing)
	if err != nil {
		d.t.Fatal(err)
	}
	d.all = all[drainIdle:]
	for _, v := range all[:drainIdle] {
		v.lesson = nil
	}
	for _, v := range all[:len(all)-drainComing] {
		d.move(v, 1)
	}
	if err := (&gathering{InFlight: dialAtOnce}).seat(ctx, d.bench, d.all[:drainSeated], nil); err != nil {
		d.t.Fatal(err)
	}
	if err := d.connect(ctx, append(all[:drainIdle:drainIdle], d.all[drainSeated:drainSeated+drainAsking]...)); err != nil {
		d.t.Fatal(err)
	}
	l := d.lessons[0]
	if d.watcher, err = d.visitor(l.instructor.user, room.Instructor, l, 1); err != nil {
		d.t.Fatal(err)
	}
	d.watcher.follow = newFollow(l, true)
	d.hooks = d.moving(func(*visitor) {})
	d.dial(d.watcher)
	if err := d.until(ctx, func() bool { return d.watcher.follow.version > 0 && !d.watcher.follow.pages }); err != nil {
		d.t.Fatal(err)
	}
}

// countServed has the joins counted that the instance which leaves answers.
func (d *drained) countServed() {
	answered := d.hooks.answered
	d.hooks.answered = func(v *visitor) {
		if v.at == d.from && len(d.told) > 0 && v.refused == "" && !v.already {
			d.served++
		}
		answered(v)
	}
}

// checkMoments looks at what everyone was told who was there.
func (d *drained) checkMoments() {
	d.t.Helper()
	told := slices.Sorted(slices.Values(d.delays))
	if sockets := drainSeated + drainAsking + drainIdle + 1; len(told) != sockets {
		d.t.Errorf("%d were told when to go, not %d", len(told), sockets)
	}
	if different := len(slices.Compact(slices.Clone(told))); different < len(told)*9/10 {
		d.t.Errorf("%d were told %d different moments", len(told), different)
	}
	// A thousand a second, as evenly as can be.
	for n, after := range told {
		if want := time.Duration(n) * time.Millisecond; after < want-50*time.Millisecond || after > want+50*time.Millisecond {
			d.t.Fatalf("number %d goes after %v", n, after)
		}
	}
}

// checkSeats holds what everyone was told against what is stored.
func (d *drained) checkSeats() {
	d.t.Helper()
	d.account(d.all)
	if d.report.Seated != len(d.all) || len(d.report.Errors)+len(d.report.Refused) > 0 {
		d.t.Errorf("%d of %d have seats: %v, %v", d.report.Seated, len(d.all), d.report.Errors, d.report.Refused)
	}
	if moved := len(d.gaps); moved < drainSeated {
		d.t.Errorf("%d came back", moved)
	}
	stored, _ := d.cluster.truth(d.lessons[0].id)
	for _, broken := range d.lessons[0].told.broken(len(d.all), stored, true) {
		d.t.Error(broken)
	}
}

// checkWatchers waits until both have what is stored, and returns how long
// that took. Who had to move had missed a little, and was told no more.
func (d *drained) checkWatchers(since time.Time) time.Duration {
	d.t.Helper()
	for n, message := range d.watcher.follow.kept[1:] {
		if bytes.Contains(message.text[:min(len(message.text), 64)], []byte(`"type":"watching"`)) && !bytes.Contains(message.text, []byte(`"deltas":[`)) {
			d.t.Errorf("the watcher was told everything again: after version %d version %d", numberField(d.watcher.follow.kept[n].text, `"version":`), numberField(message.text, `"version":`))
		}
	}
	for {
		stored, version := d.cluster.truth(d.lessons[0].id)
		differs := ""
		for n, v := range []*visitor{d.lessons[0].instructor, d.watcher} {
			if err := v.follow.settle(); err != nil {
				d.t.Fatal(err)
			}
			if text := v.follow.differs(stored, version); text != "" {
				differs = fmt.Sprintf("watcher %d: %s", n, text)
			}
		}
		took := time.Since(since)
		if differs == "" {
			return took
		}
		if took > convergeTime {
			d.t.Fatalf("after %v: %s", took, differs)
		}
		if err := d.rest(d.t.Context(), 10*time.Millisecond); err != nil {
			d.t.Fatal(err)
		}
	}
}

// shortDrain is hardly any time to leave.
const shortDrain = 3 * time.Second

// TestShortDrain: who does not go, and does not even answer, keeps no instance
// from leaving in time.
func TestShortDrain(t *testing.T) {
	t.Parallel()
	i := startInstance(t, "LECTERN_DRAIN="+shortDrain.String())
	passport := i.pass("s", room.Student)
	for range 8 {
		socket, err := dialSocket(t.Context(), i.loadTarget.url, passport)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.conn.Close()
	}
	began := time.Now()
	ended(t, i.stop())
	if took := time.Since(began); took > shortDrain+tolerance {
		t.Errorf("it took %v to leave, of %v", took, shortDrain)
	}
}

// TestPacedSocket: who comes too soon is told when to come, and has a place
// then.
func TestPacedSocket(t *testing.T) {
	t.Parallel()
	i := startInstance(t, "LECTERN_ACCEPT_RATE=1")
	browser := func(user string) error {
		socket, err := dialSocket(t.Context(), i.loadTarget.url, i.pass(user, room.Student))
		if err != nil {
			t.Fatal(err)
		}
		defer socket.conn.Close()
		_, err = socket.ask([]byte(`{"id":1,"type":"ping"}`))
		return err
	}
	ended(t, browser("ann"))
	var closed *closedSocket
	if err := browser("bob"); !errors.As(err, &closed) || closed.code != 1013 {
		t.Fatalf("the second within a second: %v", err)
	}
	during(2 * time.Second) // a turn, and its jitter
	ended(t, browser("bob"))
}
